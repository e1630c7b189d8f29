// SPDX-License-Identifier: Apache-2.0
#include "control/server_link.hpp"

#include <fmt/format.h>

#include <charconv>

#include "base/limits.hpp"
#include "control/node_messages.hpp"
#include "control/report_messages.hpp"
#include "runtime/core.hpp"
#include "runtime/wait_until.hpp"

namespace skerry::control {
namespace {

std::string why(const rpc::Status& status) { return status.ok() ? "it ended the call" : status.message; }

std::optional<Term> term_in(const std::optional<rpc::ErrorInfo>& info) {
  if (!info || info->reason != outdated_reason) return std::nullopt;
  const auto found = info->metadata.find(term_field);
  std::int64_t term = 0;
  if (found == info->metadata.end()) return std::nullopt;
  const std::string& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), term);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return is_possible(Term(term)) ? std::optional(Term(term)) : std::nullopt;
}

Refused::Reason reason_in(const std::optional<rpc::ErrorInfo>& info) {
  using Reason = Refused::Reason;
  const std::string reason = info ? info->reason : std::string();
  if (reason == behind_reason) return Reason::behind;
  if (reason == foreign_records_reason) return Reason::foreign_records;
  if (reason == sessions_collide_reason) return Reason::sessions_collide;
  return reason == not_leader_reason ? Reason::not_leader : Reason::other;
}

// Whether the node said no, as opposed to not having been reached, or not in time.
bool is_refusal(rpc::Code code) {
  using rpc::Code;
  return code == Code::aborted || code == Code::failed_precondition || code == Code::invalid_argument ||
         code == Code::not_found || code == Code::unimplemented || code == Code::data_loss || code == Code::permission_denied ||
         code == Code::unauthenticated;
}

}  // namespace

ServerLink::ServerLink(Core& core, net::Network& network, Caller caller, Attendance attendance, net::Address address,
                       ServerLinkListener& listener)
    : core_(core), caller_(std::move(caller)), attendance_(std::move(attendance)), listener_(listener),
      channel_(rpc::Channel::make(core, network, std::move(address),
                                  {.connect_timeout = limits::server_connect_patience,
                                   .backoff_min = limits::server_retry_pause,
                                   .backoff_max = limits::server_retry_pause * 4})),
      news_(core), tasks_(core) {
  tasks_.spawn(run());
}

ServerLink::~ServerLink() = default;

Task<> ServerLink::stop() {
  co_await tasks_.cancel_and_join();
  co_await channel_->stop();
}

void ServerLink::bind() {
  bind_ = true;
  news_.wake_all();
}

void ServerLink::give_up(NodeId node) {
  give_up_ = node;
  news_.wake_all();
}

void ServerLink::publish(const Publication& publication) {
  if (publication.nodes) nodes_.set(write(*publication.nodes));
  if (publication.holdings) holdings_.set(write(*publication.holdings));
  if (publication.assignments) assignments_.set(write(*publication.assignments));
  news_.wake_all();
}

// --- the standing call

Task<> ServerLink::run() {
  for (;;) {
    auto call = co_await channel_->open(node_method("Attend"), {.deadline = no_deadline});
    if (call) {
      const std::string ended = co_await serve(**call);
      listener_.on_broke(attendance_.name, ended);
      // Who has said nothing won't be asked again without a pause: it may refuse us, as a server of another cluster does.
      if (!heard_) co_await core_.sleep_for(limits::server_retry_pause);
    } else {
      listener_.on_connect_failed(attendance_.name, call.error().message());
      co_await core_.sleep_for(limits::server_retry_pause);
    }
  }
}

// Until it ends; returns why.
Task<std::string> ServerLink::serve(rpc::ClientCall& call) {
  v1::Report report;
  bool first = true;
  heard_ = false;
  for (;;) {
    const TimePoint sent = core_.now();
    const v1::Order order = next_order(first);
    if (const auto written = co_await call.write(order); !written) co_return why(co_await call.finish());
    const auto more = co_await call.read(report);
    if (!more) co_return more.error().message();
    if (!*more) co_return why(co_await call.finish());
    first = false;
    heard_ = true;
    take(report);
    if (!has_news()) co_await wait_until(core_, news_, sent + limits::order_interval);
  }
}

v1::Order ServerLink::next_order(bool first) {
  v1::Order order;
  order.set_number(++orders_);
  const bool bind = std::exchange(bind_, false);
  if (first || bind) {
    auto& hello = *order.mutable_hello();
    hello.set_instance(caller_.instance);
    hello.set_node(attendance_.node.value());
    hello.set_name(attendance_.name);
    hello.set_bind(bind);
  }
  if (const auto node = std::exchange(give_up_, std::nullopt)) order.mutable_give_up()->set_node(node->value());
  const auto due = [first](auto& told) { return std::exchange(told.due, false) || (first && told.message); };
  if (due(nodes_)) *order.mutable_nodes() = *nodes_.message;
  if (due(holdings_)) *order.mutable_holdings() = *holdings_.message;
  if (due(assignments_)) *order.mutable_assignments() = *assignments_.message;
  return order;
}

void ServerLink::take(const v1::Report& report) {
  if (report.has_greeting()) {
    bound_ = report.greeting().bound();
    listener_.on_greeted(attendance_.name, read(report.greeting()));
  }
  if (bound_) listener_.on_reported(attendance_.name, read(report));
}

// --- beside it

void ServerLink::ask(NodeCall call) { tasks_.spawn(carry(std::move(call))); }

Task<> ServerLink::carry(NodeCall call) {
  NodeReply reply = co_await send(call);
  listener_.on_replied(call, std::move(reply));
}

rpc::CallOptions ServerLink::options_of(const NodeCall& call) const {
  rpc::CallOptions options{.deadline = core_.now() + call.patience};
  options.metadata.add(instance_header, caller_.instance);
  options.metadata.add(epoch_header, fmt::to_string(caller_.epoch));
  options.metadata.add(to_header, fmt::to_string(call.to.value()));
  return options;
}

// Asks for what a call is about, and makes a reply of the answer.
class ServerLink::Sending {
 public:
  Sending(ServerLink& link, const NodeCall& call) : link_(link), call_(call) {}

  Task<NodeReply> operator()(const FenceReplica& fence) {
    return ask("NewTerm", write(call_.shard, fence), +[](const v1::NewTermReply& reply) { return read(reply); });
  }
  Task<NodeReply> operator()(const replica::BecomeLeader& lead) {
    return ask("BecomeLeader", write(call_.shard, lead), +[](const v1::BecomeLeaderReply&) { return LeadershipTaken{}; });
  }
  Task<NodeReply> operator()(const replica::ChangeMembers& change) {
    return ask(
        "ChangeMembers", write(call_.shard, change),
        +[](const v1::ChangeMembersReply& reply) { return MembersTaken{reply.confirmed()}; });
  }
  Task<NodeReply> operator()(const DeleteReplica& erase) {
    return ask(
        "DeleteReplica", of_term<v1::DeleteReplicaRequest>(erase.term),
        +[](const v1::DeleteReplicaReply&) { return ReplicaDeleted{}; });
  }
  Task<NodeReply> operator()(const PrepareReshape& prepare) {
    return ask("PrepareReshape", write(prepare.reshape), +[](const v1::ReshapeReply&) { return Reshaped{}; });
  }
  Task<NodeReply> operator()(const Reshape& reshape) {
    return ask("Reshape", write(reshape), +[](const v1::ReshapeReply&) { return Reshaped{}; });
  }
  Task<NodeReply> operator()(const SealShard& seal) {
    return ask(
        "SealShard", of_term<v1::SealShardRequest>(seal.term),
        +[](const v1::SealShardReply& reply) { return ShardSealed{read(reply.head())}; });
  }
  Task<NodeReply> operator()(const UnsealShard& unseal) {
    return ask(
        "UnsealShard", of_term<v1::SealShardRequest>(unseal.term), +[](const v1::UnsealShardReply&) { return ShardUnsealed{}; });
  }

 private:
  template <class Request>
  Request of_term(Term term) const {
    Request request;
    request.set_shard(call_.shard.value());
    request.set_term(term.value());
    return request;
  }

  template <class Request, class Reply, class Reading>
  Task<NodeReply> ask(std::string_view name, Request request, Reading (*reading)(const Reply&)) {
    Reply reply;
    const rpc::Status status = co_await link_.channel_->unary(node_method(name), request, reply, link_.options_of(call_));
    if (status.ok()) co_return reading(reply);
    if (is_refusal(status.code)) {
      co_return Refused{.known = term_in(status.info()), .why = status.message, .reason = reason_in(status.info())};
    }
    co_return Unanswered{status.message};
  }

  ServerLink& link_;
  const NodeCall& call_;
};

Task<NodeReply> ServerLink::send(const NodeCall& call) {
  Sending sending(*this, call);
  co_return co_await std::visit(sending, call.what);
}

}  // namespace skerry::control
