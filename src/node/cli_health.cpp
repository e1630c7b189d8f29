// SPDX-License-Identifier: Apache-2.0
#include "node/cli_health.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "client/error.hpp"
#include "health/health.pb.h"
#include "net/tcp.hpp"
#include "node/cli_connection.hpp"
#include "node/cli_number.hpp"
#include "rpc/channel.hpp"
#include "runtime/core.hpp"
#include "runtime/setting_value.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::node {
namespace {

namespace health_pb = grpc::health::v1;

struct HealthFlags {
  ConnectionFlags connection;   // for TLS alone
  std::string host = "localhost";
  std::uint16_t port = 6648;
  std::string timeout = "10s";
  std::string service;
};

struct Probe {
  bool done = false;
  rpc::Status status;
  health_pb::HealthCheckResponse reply;
};

Task<> ask(Core& core, net::Network& network, net::Address address, std::string service, Deadline deadline, Probe& probe) {
  const auto channel = rpc::Channel::make(core, network, std::move(address), {});
  health_pb::HealthCheckRequest request;
  request.set_service(std::move(service));
  probe.status = co_await channel->unary("/grpc.health.v1.Health/Check", request, probe.reply, {deadline, {}});
  co_await channel->stop();
  probe.done = true;
}

Result<Probe> probe_server(const HealthFlags& flags, Duration timeout) {
  SystemClock clock;
  Core core(CoreId{0}, clock, Random::system_seed());
  net::TcpNetwork network(core);
  TRY(const auto tls, tls_of(flags.connection));
  TRY(const auto secure, secure_network(core, network, tls));
  Probe probe;
  TaskScope tasks(core);
  tasks.spawn(ask(core, secure ? *secure : network, {flags.host, flags.port}, flags.service, clock.now() + timeout, probe));
  while (!probe.done || tasks.size() > 0) {
    if (!core.run_turn()) core.wait(no_deadline);
  }
  return probe;
}

Error failure(const HealthFlags& flags, const rpc::Status& status) {
  const std::string where = net::Address{flags.host, flags.port}.text();
  if (status.code == rpc::Code::not_found) {
    return {Errc::not_found, fmt::format("{}: no health is known of service {}", where, flags.service)};
  }
  const std::error_code code = status.code == rpc::Code::deadline_exceeded ? Errc::unavailable : client::judge(status).error.code;
  return {code, fmt::format("{}: {}", where, status.message)};
}

int run_health(const HealthFlags& flags) {
  const auto timeout = parse_duration(flags.timeout);
  if (!timeout) return report(timeout.error());
  if (*timeout <= Duration::zero()) return report({Errc::invalid_argument, "--timeout must be longer than nothing, such as 10s"});
  const Result<Probe> outcome = probe_server(flags, *timeout);
  if (!outcome) return report(outcome.error());
  const Probe& probe = *outcome;
  if (!probe.status.ok()) return report(failure(flags, probe.status));
  const std::string name = health_pb::HealthCheckResponse::ServingStatus_Name(probe.reply.status());
  fmt::print("{}\n", name);
  if (probe.reply.status() == health_pb::HealthCheckResponse::SERVING) return exit_ok;
  return report(Error{Errc::internal, fmt::format("unhealthy: {}", name)});
}

}  // namespace

void add_health_command(CLI::App& app, Command& chosen) {
  CLI::App& health = *app.add_subcommand("health", "Check the health of a running server");
  health.description(
      "Ask a server once whether it serves; exit status 0 if it does.\nExample: skerry health --service oxia-readiness");
  health.footer(exit_statuses_text());
  const auto flags = std::make_shared<HealthFlags>();
  health.add_option("--host", flags->host, "Server host")->capture_default_str();
  health.add_option("--port", flags->port, "The server's public port")
      ->transform(whole_number<std::uint16_t>(1))
      ->capture_default_str();
  health.add_option("--timeout", flags->timeout, "How long to wait for the answer")->capture_default_str();
  health.add_option("--service", flags->service, "\"\": the process; oxia-readiness: whether it takes requests");
  add_tls_options(health, flags->connection);
  health.callback([&chosen, flags] { chosen = [flags] { return run_health(*flags); }; });
}

}  // namespace skerry::node
