// SPDX-License-Identifier: Apache-2.0
#include "node/cli_call.hpp"

#include <fmt/format.h>
#include <google/protobuf/message_lite.h>

#include <algorithm>
#include <array>
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

Task<> make(Core& core, net::Network& network, const net::Address& address, const Talk& talk, rpc::Metadata metadata,
            std::optional<Talked>& talked) {
  const auto channel = rpc::Channel::make(core, network, address, {.authority = address.text()});
  Talked outcome = co_await talk(*channel, std::move(metadata));
  co_await channel->stop();
  talked = std::move(outcome);
}

Result<Talked> run(const net::Address& address, const Talk& talk, rpc::Metadata metadata,
                   const std::optional<net::TlsOptions>& tls) {
  const SystemClock clock;
  Core core(CoreId{0}, clock, Random::system_seed());
  net::TcpNetwork network(core);
  TRY(const auto secure, secure_network(core, network, tls));
  TaskScope tasks(core);
  std::optional<Talked> talked;
  tasks.spawn(make(core, secure ? *secure : network, address, talk, std::move(metadata), talked));
  while (!talked || tasks.size() > 0) {
    if (!core.run_turn()) core.wait(no_deadline);
  }
  return *std::move(talked);
}

struct ServiceOwner {
  std::string_view service;
  std::string_view advice;   // where something answers that is not the owner
};
constexpr std::array service_owners{
    ServiceOwner{
        "/skerry.control.v1.Admin/",
        "is no coordinator: ask the cluster's, at its public address (such as -a localhost:6651); a standalone has no nodes "
        "and leaders to manage"},
    ServiceOwner{"/io.oxia.proto.v1.OxiaAdmin/",
                 "is neither a standalone nor a coordinator: a cluster is managed through its coordinator, at its public address "
                 "(such as -a localhost:6651)"},
    ServiceOwner{
        "/skerry.admin.v1.Backup/",
        "is neither a standalone nor a coordinator: a cluster is backed up through its coordinator, at its public address "
        "(such as -a localhost:6651)"}};

// In the server's words, where it says more than that it does not know the method.
std::string why_unimplemented(const std::string& where, const std::string& method, const std::string& said) {
  if (!said.empty() && said.find(method) == std::string::npos) return fmt::format("{}: {}", where, said);
  for (const ServiceOwner& each : service_owners) {
    if (method.starts_with(each.service)) return fmt::format("{} {}", where, each.advice);
  }
  return fmt::format("{} has no method {}: is it a server of this version?", where, method);
}

// Another coordinator, as one that is not in office tells it.
std::optional<std::string> redirection(const rpc::Status& status) {
  const auto info = status.info();
  if (!info || info->domain != "skerry.control" || info->reason != "NOT_IN_OFFICE") return std::nullopt;
  const auto holder = info->metadata.find("coordinator");
  return holder == info->metadata.end() ? std::nullopt : std::optional(holder->second);
}

// The server may have done what it did not answer, or did not wait for.
bool leaves_open(const rpc::Status& status) {
  switch (status.code) {
    case rpc::Code::deadline_exceeded:
    case rpc::Code::cancelled: return true;
    case rpc::Code::unavailable:
    case rpc::Code::unknown:
    case rpc::Code::internal: return !status.from_peer;
    default: return false;
  }
}

Error failure(const net::Address& address, const std::string& method, const Talked& talked) {
  const std::string where = address.text();
  const rpc::Status& status = talked.status;
  if (talked.change_sent && leaves_open(status)) {
    return {client::ClientErrc::outcome_unknown,
            fmt::format("{}: the change was sent and may have been made: look before you ask for it again ({})", where,
                        status.message)};
  }
  switch (status.code) {
    case rpc::Code::unavailable:
    case rpc::Code::deadline_exceeded: return {Errc::unavailable, fmt::format("{}: {}", where, status.message)};
    case rpc::Code::unimplemented: return {Errc::unsupported, why_unimplemented(where, method, status.message)};
    default: return client::judge(status).error;
  }
}

enum class CallKind : bool { question, change };

// As rpc::Channel::unary(), and tells whether the request has left.
Task<Talked> ask(rpc::Channel& channel, std::string method, const google::protobuf::MessageLite& request,
                 google::protobuf::MessageLite& reply, rpc::CallOptions options, CallKind kind) {
  auto call = co_await channel.open(method, std::move(options));
  if (!call) co_return Talked{.status = rpc::Status::from(call.error())};
  static_cast<void>(co_await (*call)->write(request));   // how it ended tells
  static_cast<void>(co_await (*call)->finish_writing());
  const auto answered = co_await (*call)->read(reply);
  Talked talked{.status = co_await (*call)->finish(), .change_sent = kind == CallKind::change};
  if (talked.status.ok() && (!answered || !*answered)) {
    talked.status = {rpc::Code::unimplemented, method + " was ended without a reply", {}};
  }
  talked.begun = talked.change_sent && leaves_open(talked.status);
  co_return talked;
}

Result<> ask_once(const ConnectionFlags& flags, std::string method, const google::protobuf::MessageLite& request,
                  google::protobuf::MessageLite& reply, CallKind kind) {
  TRY(const Duration timeout, request_timeout_of(flags));
  const SystemClock clock;
  return talk_to_server(flags, method, [&](rpc::Channel& channel, rpc::Metadata metadata) {
    return ask(channel, method, request, reply, {.deadline = clock.now() + timeout, .metadata = std::move(metadata)}, kind);
  });
}

}  // namespace

Result<> talk_to_server(const ConnectionFlags& flags, const std::string& method, const Talk& talk) {
  client::ClientOptions target;
  TRY(target.addresses, addresses_of(flags));
  TRY(target.tls, tls_of(flags));
  TRYV(client::settle_tls(target));
  TRY(const std::string token, token_of(flags));
  Result<> outcome = fail(Errc::invalid_argument, "no server address was given");
  for (std::size_t next = 0; next < target.addresses.size(); ++next) {   // more are added on the way
    TRY(const net::Address address, net::Address::parse(target.addresses[next]));
    rpc::Metadata metadata;
    if (!token.empty()) metadata.add("authorization", "Bearer " + token);
    TRY(const Talked talked, run(address, talk, std::move(metadata), target.tls));
    if (talked.status.ok()) return {};
    outcome = fail(failure(address, method, talked));
    if (auto other = redirection(talked.status); other && std::ranges::find(target.addresses, *other) == target.addresses.end()) {
      target.addresses.push_back(*std::move(other));
    }
    if (talked.begun || outcome.error() != Errc::unavailable) break;
  }
  return outcome;
}

Result<> ask_server(const ConnectionFlags& flags, std::string method, const google::protobuf::MessageLite& request,
                    google::protobuf::MessageLite& reply) {
  return ask_once(flags, std::move(method), request, reply, CallKind::question);
}

Result<> change_server(const ConnectionFlags& flags, std::string method, const google::protobuf::MessageLite& request,
                       google::protobuf::MessageLite& reply) {
  return ask_once(flags, std::move(method), request, reply, CallKind::change);
}

}  // namespace skerry::node
