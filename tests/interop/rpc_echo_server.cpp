// SPDX-License-Identifier: Apache-2.0
// Serves skerry.test.Echo and gRPC's health service on one core until SIGTERM: `rpc_echo_server 127.0.0.1:0`.
// Prints "listening on HOST:PORT" once it does.
#include <csignal>
#include <cstdio>

#include "net/tcp.hpp"
#include "rpc/health.hpp"
#include "rpc/server.hpp"
#include "rpc/testing/echo_service.hpp"
#include "runtime/task_scope.hpp"

namespace {

volatile std::sig_atomic_t stop_asked = 0;

skerry::Task<> stop(skerry::rpc::Server& server, skerry::Core& core, bool& stopped) {
  co_await server.stop(core.now() + std::chrono::seconds(1));
  stopped = true;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace skerry;
  std::signal(SIGTERM, [](int) { stop_asked = 1; });
  const SystemClock clock;
  Core core(CoreId{0}, clock, Random::system_seed());
  net::TcpNetwork network(core);
  test::EchoService service(core);
  rpc::Health health(core);
  rpc::Methods methods;
  service.add_to(methods);
  health.add_to(methods);
  health.set("", rpc::Health::Serving::yes);
  health.set("skerry.test.Echo", rpc::Health::Serving::no);

  const auto address = net::Address::parse(argc > 1 ? argv[1] : "127.0.0.1:0");
  const auto server = rpc::Server::make(core, network, methods, {});
  const auto bound = address ? server->start(*address) : Result<net::Address>(fail(address.error()));
  if (!bound) return std::fprintf(stderr, "%s\n", bound.error().message().c_str()), 1;
  std::printf("listening on %s\n", bound->text().c_str());
  std::fflush(stdout);

  TaskScope tasks(core);
  bool stopping = false, stopped = false;
  while (!stopped) {
    if (stop_asked != 0 && !std::exchange(stopping, true)) tasks.spawn(stop(*server, core, stopped));
    if (!core.run_turn()) core.wait(core.now() + std::chrono::milliseconds(20));
  }
  return 0;
}
