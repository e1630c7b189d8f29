// SPDX-License-Identifier: Apache-2.0
#include "node/cli_call.hpp"

#include <fmt/format.h>
#include <google/protobuf/message_lite.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "client/check.hpp"
#include "client/error.hpp"
#include "net/tcp.hpp"
#include "rpc/channel.hpp"
#include "runtime/core.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::node {
namespace {

struct Call {
  net::Address address;
  std::string method;
  rpc::CallOptions options;
  const google::protobuf::MessageLite& request;
  google::protobuf::MessageLite& reply;
  rpc::Status status = {};
  bool done = false;
};

Task<> make(Core& core, net::Network& network, Call& call) {
  const auto channel = rpc::Channel::make(core, network, call.address, {.authority = call.address.text()});
  call.status = co_await channel->unary(call.method, call.request, call.reply, call.options);
  co_await channel->stop();
  call.done = true;
}

Result<> run(Call& call, Duration timeout, const std::optional<net::TlsOptions>& tls) {
  SystemClock clock;
  Core core(CoreId{0}, clock, Random::system_seed());
  net::TcpNetwork network(core);
  TRY(const auto secure, secure_network(core, network, tls));
  TaskScope tasks(core);
  call.options.deadline = clock.now() + timeout;
  tasks.spawn(make(core, secure ? *secure : network, call));
  while (!call.done || tasks.size() > 0) {
    if (!core.run_turn()) core.wait(no_deadline);
  }
  return {};
}

// In the server's words, where it says more than that it does not know the method.
std::string why_unimplemented(const Call& call) {
  const std::string where = call.address.text();
  const std::string& said = call.status.message;
  if (!said.empty() && said.find(call.method) == std::string::npos) return fmt::format("{}: {}", where, said);
  return fmt::format("{} has no method {}: is it a server of this version? A cluster is managed through its coordinator", where,
                     call.method);
}

// Another coordinator, as one that is not in office tells it.
std::optional<std::string> redirection(const rpc::Status& status) {
  const auto info = status.info();
  if (!info || info->domain != "skerry.control" || info->reason != "NOT_IN_OFFICE") return std::nullopt;
  const auto holder = info->metadata.find("coordinator");
  return holder == info->metadata.end() ? std::nullopt : std::optional(holder->second);
}

Error failure(const Call& call) {
  const std::string where = call.address.text();
  switch (call.status.code) {
    case rpc::Code::unavailable:
    case rpc::Code::deadline_exceeded: return {Errc::unavailable, fmt::format("{}: {}", where, call.status.message)};
    case rpc::Code::unimplemented: return {Errc::unsupported, why_unimplemented(call)};
    default: return client::judge(call.status).error;
  }
}

}  // namespace

Result<> ask_server(const ConnectionFlags& flags, std::string method, const google::protobuf::MessageLite& request,
                    google::protobuf::MessageLite& reply) {
  client::ClientOptions target;
  TRY(target.addresses, addresses_of(flags));
  TRY(target.tls, tls_of(flags));
  TRYV(client::settle_tls(target));
  TRY(const std::string token, token_of(flags));
  TRY(const Duration timeout, request_timeout_of(flags));
  Result<> outcome = fail(Errc::invalid_argument, "no server address was given");
  for (std::size_t next = 0; next < target.addresses.size(); ++next) {   // more are added on the way
    TRY(net::Address address, net::Address::parse(target.addresses[next]));
    Call call{.address = std::move(address), .method = method, .options = {}, .request = request, .reply = reply};
    if (!token.empty()) call.options.metadata.add("authorization", "Bearer " + token);
    TRYV(run(call, timeout, target.tls));
    if (call.status.ok()) return {};
    outcome = fail(failure(call));
    if (auto other = redirection(call.status); other && std::ranges::find(target.addresses, *other) == target.addresses.end()) {
      target.addresses.push_back(*std::move(other));
    }
    if (outcome.error() != Errc::unavailable) break;
  }
  return outcome;
}

}  // namespace skerry::node
