// SPDX-License-Identifier: Apache-2.0
#include "control/server_link.hpp"

#include <fmt/format.h>

#include <charconv>

#include "base/limits.hpp"
#include "control/node_messages.hpp"
#include "control/report_messages.hpp"
#include "runtime/core.hpp"
#include "runtime/join.hpp"

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
  return Term(term);
}

// Whether the node said no, as opposed to not having been reached, or not in time.
bool is_refusal(rpc::Code code) {
  using rpc::Code;
  return code == Code::aborted || code == Code::failed_precondition || code == Code::invalid_argument ||
         code == Code::not_found || code == Code::unimplemented || code == Code::data_loss || code == Code::permission_denied ||
         code == Code::unauthenticated;
}

}  // namespace

ServerLink::ServerLink(Core& core, net::Network& network, std::string instance, Attendance attendance, net::Address address,
                       ServerLinkListener& listener)
    : core_(core), instance_(std::move(instance)), attendance_(std::move(attendance)), listener_(listener),
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
    if (!has_news()) co_await run_until(core_, news_.wait(), sent + limits::order_interval);
  }
}

v1::Order ServerLink::next_order(bool first) {
  v1::Order order;
  order.set_number(++orders_);
  const bool bind = std::exchange(bind_, false);
  if (first || bind) {
    auto& hello = *order.mutable_hello();
    hello.set_instance(instance_);
    hello.set_node(attendance_.node.value());
    hello.set_name(attendance_.name);
    hello.set_bind(bind);
  }
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
  options.metadata.add(instance_header, instance_);
  options.metadata.add(to_header, fmt::to_string(call.to.value()));
  return options;
}

Task<NodeReply> ServerLink::send(const NodeCall& call) {
  v1::NewTermReply fenced;
  v1::BecomeLeaderReply leads;
  v1::ChangeMembersReply changed;
  v1::DeleteReplicaReply deleted;
  rpc::Status status;
  if (const auto* fence = std::get_if<FenceReplica>(&call.what)) {
    status = co_await channel_->unary(node_method("NewTerm"), write(call.shard, *fence), fenced, options_of(call));
    if (status.ok()) co_return read(fenced);
  } else if (const auto* lead = std::get_if<replica::BecomeLeader>(&call.what)) {
    status = co_await channel_->unary(node_method("BecomeLeader"), write(call.shard, *lead), leads, options_of(call));
    if (status.ok()) co_return LeadershipTaken{};
  } else if (const auto* change = std::get_if<replica::ChangeMembers>(&call.what)) {
    status = co_await channel_->unary(node_method("ChangeMembers"), write(call.shard, *change), changed, options_of(call));
    if (status.ok()) co_return MembersTaken{changed.confirmed()};
  } else {
    v1::DeleteReplicaRequest request;
    request.set_shard(call.shard.value());
    request.set_term(std::get<DeleteReplica>(call.what).term.value());
    status = co_await channel_->unary(node_method("DeleteReplica"), request, deleted, options_of(call));
    if (status.ok()) co_return ReplicaDeleted{};
  }
  if (is_refusal(status.code)) co_return Refused{term_in(status.info()), status.message};
  co_return Unanswered{status.message};
}

}  // namespace skerry::control
