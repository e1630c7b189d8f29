// SPDX-License-Identifier: Apache-2.0
// The lookup of bench.proto on Skerry's own rpc room, one core: `rpc_bench_server HOST:PORT`.
#include <cstdio>

#include "bench.pb.h"
#include "net/tcp.hpp"
#include "rpc/server.hpp"
#include "runtime/core.hpp"

namespace {

using namespace skerry;

Task<rpc::Status> get(rpc::ServerCall&, const bench::GetRequest& request, bench::GetReply& reply) {
  reply.set_value(std::string(128, request.key().empty() ? '-' : request.key().front()));
  co_return rpc::Status();
}

}  // namespace

int main(int argc, char** argv) {
  const SystemClock clock;
  Core core(CoreId{0}, clock, Random::system_seed());
  net::TcpNetwork network(core);
  rpc::Methods methods;
  methods.unary<bench::GetRequest, bench::GetReply>("/skerry.bench.Store/Get", get);
  const auto server = rpc::Server::make(core, network, methods, {});
  const auto address = net::Address::parse(argc > 1 ? argv[1] : "127.0.0.1:16701");
  const auto bound = address ? server->start(*address) : Result<net::Address>(fail(address.error()));
  if (!bound) return std::fprintf(stderr, "%s\n", bound.error().message().c_str()), 1;
  std::printf("listening on %s\n", bound->text().c_str());
  std::fflush(stdout);
  for (;;) {
    if (!core.run_turn()) core.wait(no_deadline);
  }
}
