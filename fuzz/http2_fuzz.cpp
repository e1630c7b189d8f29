// SPDX-License-Identifier: Apache-2.0
// Any bytes at either end of an RPC connection. The first byte chooses: bit 0, to a server after a proper preface rather than
// from the very start; bit 1, to a client that has calls under way; bits 2 and 3, how the bytes are cut. Whatever comes, every
// call must end, every handler must return, and stopping must leave nothing behind.
#include <cstddef>
#include <cstdint>

#include "base/assert.hpp"
#include "net/testing/memory_network.hpp"
#include "rpc/channel.hpp"
#include "rpc/server.hpp"
#include "rpc/testing/echo_service.hpp"
#include "rpc/testing/raw_client.hpp"
#include "runtime/task_scope.hpp"

namespace skerry {
namespace {

constexpr std::size_t cuts[] = {1 << 20, 1, 9, 100};
const net::Address address{"server", 1};

struct World {
  ManualClock clock;
  Core core{CoreId{0}, clock, 1};
  net::testing::MemoryFabric fabric;
  net::testing::MemoryNetwork client_side{core, fabric, "client"}, server_side{core, fabric, "server"};
  TaskScope tasks{core};

  void settle() {
    while (core.run_turn()) {}
  }
  void advance(Duration by) {
    const TimePoint until = clock.now() + by;
    settle();
    while (const auto next = core.next_timer()) {
      if (*next > until) break;
      if (*next > clock.now()) clock.advance(*next - clock.now());
      settle();
    }
    clock.advance(until - clock.now());
    settle();
  }
  void feed(net::Stream& stream, BytesView bytes, std::size_t cut) {
    while (!bytes.empty()) {
      const std::size_t taken = stream.try_write(bytes.substr(0, cut));
      if (taken == 0) break;
      bytes.remove_prefix(taken);
      settle();
    }
  }
};

Task<> connect(World& world, std::unique_ptr<net::Stream>& into) {
  auto stream = co_await world.client_side.connect(address, no_deadline);
  SKERRY_ASSERT(stream.has_value());
  into = std::move(*stream);
}
Task<> accept(net::Listener& listener, std::unique_ptr<net::Stream>& into) {
  auto stream = co_await listener.accept();
  if (stream) into = std::move(*stream);
}
Task<> read_away(net::Stream& stream) {
  std::string buffer(4096, '\0');
  for (;;) {
    const auto count = co_await stream.read_some(buffer);
    if (!count || *count == 0) co_return;
  }
}

void attack_server(BytesView bytes, bool preface, std::size_t cut) {
  World world;
  test::EchoService echo(world.core);
  rpc::Methods methods;
  echo.add_to(methods);
  rpc::ServerOptions options;
  options.message_bytes_max = 1 << 20;
  options.streams_max = 16;
  const auto server = rpc::Server::make(world.core, world.server_side, methods, options);
  SKERRY_ASSERT(server->start(address).has_value());
  std::unique_ptr<net::Stream> stream;
  world.tasks.spawn(connect(world, stream));
  world.settle();
  world.tasks.spawn(read_away(*stream));
  if (preface) world.feed(*stream, test::RawClient::preface(), 1 << 20);
  world.feed(*stream, bytes, cut);
  world.advance(1s);
  stream->close();
  world.settle();
  world.tasks.spawn(server->stop(world.core.now()));
  world.settle();
  SKERRY_ASSERT(world.tasks.size() == 0);
}

Task<> call(rpc::Channel& channel, Deadline deadline) {
  const test::EchoRequest request;
  test::EchoReply reply;
  static_cast<void>(co_await channel.unary("/skerry.test.Echo/Unary", request, reply, {.deadline = deadline}));
}
Task<> stream_calls(rpc::Channel& channel, Deadline deadline) {
  auto call = co_await channel.open("/skerry.test.Echo/Bidirectional", {.deadline = deadline});
  if (!call) co_return;
  const test::EchoRequest request;
  test::EchoReply reply;
  if (!co_await (*call)->write(request)) co_return;
  while ((co_await (*call)->read(reply)).value_or(false)) {}
  static_cast<void>(co_await (*call)->finish());
}

void attack_client(BytesView bytes, std::size_t cut) {
  World world;
  auto listener = world.server_side.listen(address);
  SKERRY_ASSERT(listener.has_value());
  std::unique_ptr<net::Stream> stream;
  world.tasks.spawn(accept(**listener, stream));
  const auto channel = rpc::Channel::make(world.core, world.client_side, address, {.message_bytes_max = 1 << 20});
  const Deadline deadline = world.clock.now() + 2s;
  world.tasks.spawn(call(*channel, deadline));
  world.tasks.spawn(stream_calls(*channel, deadline));
  world.settle();
  SKERRY_ASSERT(stream != nullptr);
  world.tasks.spawn(read_away(*stream));
  world.feed(*stream, bytes, cut);
  world.advance(3s);
  stream->close();
  world.settle();
  world.tasks.spawn(channel->stop());
  world.settle();
  SKERRY_ASSERT(world.tasks.size() == 0);
}

}  // namespace
}  // namespace skerry

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > (64 << 10)) return 0;
  const skerry::BytesView bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = skerry::cuts[data[0] >> 2 & 3];
  if ((data[0] & 2) != 0) {
    skerry::attack_client(bytes, cut);
  } else {
    skerry::attack_server(bytes, (data[0] & 1) != 0, cut);
  }
  return 0;
}
