// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "net/testing/memory_network.hpp"
#include "net/testing/world.hpp"
#include "rpc/channel.hpp"
#include "rpc/health.hpp"
#include "rpc/server.hpp"
#include "rpc/testing/echo_service.hpp"

namespace skerry::test {

// A server with the echo and health services and a channel to it, in memory, on a clock that is moved by hand.
struct RpcWorld : net::testing::ManualWorld {
  net::testing::MemoryFabric fabric;
  net::testing::MemoryNetwork client_side{core, fabric, "client"}, server_side{core, fabric, "server"};
  EchoService echo{core};
  rpc::Health health{core};
  rpc::Methods methods;
  std::unique_ptr<rpc::Server> server;
  net::Address address{"server", 6648};
  std::unique_ptr<rpc::Channel> channel;

  RpcWorld() {
    echo.add_to(methods);
    health.add_to(methods);
  }
  void serve(rpc::ServerOptions options = {}) {
    server = rpc::Server::make(core, server_side, methods, options);
    const auto started = server->start(address);
    ASSERT_TRUE(started) << started.error().message();
  }
  void open(rpc::ChannelOptions options = {}) { channel = rpc::Channel::make(core, client_side, address, std::move(options)); }
  void start() {
    serve();
    open();
  }
  void stop() {
    if (channel) run(channel->stop());
    if (server) run(server->stop(core.now()));
    settle();
  }
  ~RpcWorld() { stop(); }

  rpc::CallOptions within(Duration time) const { return {.deadline = clock.now() + time, .metadata = {}}; }

  struct Outcome {
    rpc::Status status;
    EchoReply reply;
    bool ended = false;
  };
  // Begins a call; its outcome is filled in when it ends.
  void call(Outcome& into, EchoRequest request, rpc::CallOptions options, std::string method = "Unary") {
    tasks.spawn(call_unary(*channel, "/skerry.test.Echo/" + method, std::move(request), std::move(options), into));
  }
  Outcome call_and_wait(EchoRequest request, Duration time = 10s, std::string method = "Unary") {
    Outcome outcome;
    run(call_unary(*channel, "/skerry.test.Echo/" + method, std::move(request), within(time), outcome));
    return outcome;
  }

 private:
  static Task<> call_unary(rpc::Channel& channel, std::string method, EchoRequest request, rpc::CallOptions options,
                           Outcome& into) {
    into.status = co_await channel.unary(std::move(method), request, into.reply, std::move(options));
    into.ended = true;
  }
};

}  // namespace skerry::test
