// SPDX-License-Identifier: Apache-2.0
#include "control/node_agent.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/assert.hpp"
#include "base/limits.hpp"
#include "control/node_greeting.hpp"
#include "control/node_messages.hpp"
#include "rpc/status.hpp"
#include "runtime/core.hpp"

namespace skerry::control {
namespace {

std::pair<std::int64_t, std::int64_t> pair_of(const v1::Revision& revision) { return {revision.epoch(), revision.number()}; }

// Notes the revision unless one at least as new is known.
bool is_news(const v1::Revision& revision, std::pair<std::int64_t, std::int64_t>& known) {
  if (pair_of(revision) <= known) return false;
  known = pair_of(revision);
  return true;
}

v1::ReplicaReport::Role role_of(const replica::ReplicaStatus& status) {
  using Role = replica::ReplicaCore::Role;
  switch (status.role) {
    case Role::fenced: return v1::ReplicaReport::FENCED;
    case Role::following: return v1::ReplicaReport::FOLLOWER;
    default: return v1::ReplicaReport::LEADER;
  }
}

// Without what changes with every entry. That a follower is near enough to vote is news: a change of members waits for it.
v1::ReplicaReport substance(v1::ReplicaReport report) {
  for (auto& follower : *report.mutable_followers()) {
    follower.set_matched(follower.matched() + limits::learner_lag_entries_max >= report.head() ? 1 : 0);
  }
  report.clear_head();
  report.clear_commit();
  report.clear_bytes();
  report.clear_reads();
  report.clear_writes();
  return report;
}

void add_load(const replica::Shard& shard, v1::ReplicaReport& report) {
  const replica::ShardFigures figures = shard.figures();
  report.set_bytes(shard.approximate_bytes());
  report.set_reads(figures.reads());
  report.set_writes(figures.writes());
}

// A leader that can take no writes is as good as none where others can.
void tell_obstruction(const Error& why, v1::ReplicaReport& report) {
  if (report.followers_size() > 0) report.set_serving(false);
  if (report.reason().empty()) report.set_reason(why.message());
}

v1::ReplicaReport failed(ShardId id, const Error& error) {
  v1::ReplicaReport report;
  report.set_shard(id.value());
  report.set_role(v1::ReplicaReport::FAILED);
  report.set_reason(error.message());
  return report;
}

bool same(const google::protobuf::MessageLite& a, const google::protobuf::MessageLite& b) {
  return a.SerializeAsString() == b.SerializeAsString();
}

}  // namespace

// What a report is made of, but for load.
struct NodeAgent::Seen {
  explicit Seen(const replica::Shard& shard) : status(shard.status()), serves(shard.serves()) {}
  replica::ReplicaStatus status;
  bool serves;
  friend bool operator==(const Seen& a, const Seen& b) {
    const auto same_follower = [](const auto& x, const auto& y) {
      return x.node == y.node && x.mode == y.mode && x.matched == y.matched;
    };
    const replica::ReplicaStatus &x = a.status, &y = b.status;
    return a.serves == b.serves && x.role == y.role && x.term == y.term && x.version == y.version && x.confirmed == y.confirmed &&
           x.head == y.head && x.commit == y.commit && x.sealed == y.sealed && x.failure.has_value() == y.failure.has_value() &&
           std::ranges::equal(x.followers, y.followers, same_follower);
  }
};

// What one coordinator was told.
struct NodeAgent::Attendance {
  struct Told {
    std::optional<Seen> seen;   // of which that was told; nothing: look again
    v1::ReplicaReport report;
    std::string encoded;   // the same
    TimePoint at;
    std::uint64_t round = 0;   // in which the node had it last
  };
  // As of the last look at the replicas: unless one of these has changed, or something was left to be told, all would be found as
  // it was.
  struct Look {
    std::uint64_t changes = 0;   // of replicas, and of those that can't be opened
    std::size_t failed = 0;
    std::vector<NodeId> lapsed;   // leases
    bool obstructed = false;
    bool whole = false;   // nothing was left to be told
    friend bool operator==(const Look&, const Look&) = default;
  };
  Look look;
  std::map<ShardId, Told> replicas;
  std::uint64_t rounds = 0;
  std::optional<TimePoint> usage_at;
};

NodeAgent::NodeAgent(Parts parts)
    : parts_(std::move(parts)), freed_(parts_.core),
      reshaper_({parts_.core, parts_.log, parts_.group, [this](ShardId id) { return taken_.contains(id); }}),
      tasks_(parts_.core) {}
NodeAgent::~NodeAgent() = default;

void NodeAgent::register_in(rpc::Methods& methods) {
  methods.bidirectional<v1::Order, v1::Report>(
      node_method("Attend"), [this](rpc::ServerCall& call, rpc::Requests<v1::Order>& orders, rpc::Replies<v1::Report>& reports) {
        return attend(call, orders, reports);
      });
  methods.unary<v1::NewTermRequest, v1::NewTermReply>(
      node_method("NewTerm"), [this](rpc::ServerCall& call, const v1::NewTermRequest& request, v1::NewTermReply& reply) {
        return new_term(call, request, reply);
      });
  methods.unary<v1::BecomeLeaderRequest, v1::BecomeLeaderReply>(
      node_method("BecomeLeader"), [this](rpc::ServerCall& call, const v1::BecomeLeaderRequest& request, v1::BecomeLeaderReply&) {
        return become_leader(call, request);
      });
  methods.unary<v1::ChangeMembersRequest, v1::ChangeMembersReply>(
      node_method("ChangeMembers"), [this](rpc::ServerCall& call, const v1::ChangeMembersRequest& request,
                                           v1::ChangeMembersReply& reply) { return change_members(call, request, reply); });
  methods.unary<v1::DeleteReplicaRequest, v1::DeleteReplicaReply>(
      node_method("DeleteReplica"), [this](rpc::ServerCall& call, const v1::DeleteReplicaRequest& request,
                                           v1::DeleteReplicaReply&) { return delete_replica(call, request); });
  methods.server_stream<v1::ReadStateRequest, v1::ReadStateReply>(
      node_method("ReadState"), [this](rpc::ServerCall& call, const v1::ReadStateRequest& request,
                                       rpc::Replies<v1::ReadStateReply>& replies) { return read_state(call, request, replies); });
  methods.client_stream<v1::MakeReplicaRequest, v1::MakeReplicaReply>(
      node_method("MakeReplica"), [this](rpc::ServerCall& call, rpc::Requests<v1::MakeReplicaRequest>& requests,
                                         v1::MakeReplicaReply& reply) { return make_replica(call, requests, reply); });
  register_reshapes(methods);
}

Task<> NodeAgent::start() {
  if (!parts_.record.bound()) co_return;
  nodes_revision_ = pair_of(parts_.record.value().nodes().revision());
  holdings_revision_ = pair_of(parts_.record.value().holdings().revision());
  join();
  for (const auto& each : v1::Holdings(parts_.record.value().holdings()).replicas()) {
    co_await open_quietly(ShardId(each.shard()), {each.namespace_(), read(each.key_order()), each.notifications()});
  }
}

Task<> NodeAgent::stop() {
  co_await reshaper_.stop();
  co_await tasks_.cancel_and_join();
}

void NodeAgent::join() {
  const v1::NodeRecord& record = parts_.record.value();
  parts_.links.join({record.instance(), NodeId(record.node())});
  if (record.has_nodes()) take_nodes(record.nodes());
}

// --- the standing call

Task<rpc::Status> NodeAgent::attend(rpc::ServerCall&, rpc::Requests<v1::Order>& orders, rpc::Replies<v1::Report>& reports) {
  Attendance attendance;
  co_return co_await answer_orders(orders, reports, [this, &attendance](const v1::Order& order, v1::Report& answer) {
    return answer_order(attendance, order, answer);
  });
}

Task<Result<>> NodeAgent::answer_order(Attendance& attendance, const v1::Order& order, v1::Report& answer) {
  if (order.has_hello()) CO_TRYV(co_await greet(order.hello(), *answer.mutable_greeting()));
  if (!parts_.record.bound()) co_return Result<>{};
  take(order);
  report(attendance, answer);
  answer.set_damage(damage());
  co_return Result<>{};
}

Task<Result<>> NodeAgent::greet(const v1::Hello& hello, v1::Greeting& greeting) {
  const v1::NodeRecord& record = parts_.record.value();
  if (!parts_.record.bound() && hello.bind()) {
    if (hello.instance().empty()) co_return fail(Errc::invalid_argument, "the hello names no cluster");
    if (!binding_) {
      binding_ = std::make_shared<Binding>();
      tasks_.spawn(bind(hello, binding_));
    }
    const std::shared_ptr<Binding> binding = binding_;   // to this coordinator, or to another that was there first
    while (!binding->result) co_await freed_.wait();
    CO_TRYV(*binding->result);
  }
  CO_TRY(greeting, greeting_of(record, hello));
  greeting.set_pool(parts_.pool);
  greeting.set_version(parts_.version);
  greeting.set_kept_aside(parts_.kept_aside);
  co_return Result<>{};
}

// Goes on though the call that asks for it breaks: a node that has half an identity would be nobody.
Task<> NodeAgent::bind(v1::Hello hello, std::shared_ptr<Binding> binding) {
  auto bound = co_await parts_.record.bind(hello.instance(), hello.node(), hello.name());
  if (bound) {
    parts_.logger.info("joined a cluster", {{"cluster", hello.instance()}, {"node", hello.node()}, {"name", hello.name()}});
    join();
  }
  binding->result = std::move(bound);
  binding_.reset();
  freed_.wake_all();
}

// What its disk has damaged, found by reading it or by opening a replica. A second time nothing is put aside for it: such a disk
// is for people to judge.
std::string NodeAgent::damage() const {
  if (!parts_.kept_aside.empty()) return {};
  if (const auto& found = parts_.log.damage()) return found->message();
  for (const auto& [id, error] : failed_) {
    if (error == Errc::corrupt) return error.message();
  }
  const auto health = parts_.group.engine().health();
  return !health && health.error() == Errc::corrupt ? health.error().message() : std::string();
}

void NodeAgent::take(const v1::Order& order) {
  if (order.has_give_up() && order.give_up().node() == parts_.record.value().node()) parts_.listener.on_given_up();
  if (order.has_nodes() && is_news(order.nodes().revision(), nodes_revision_)) {
    take_nodes(order.nodes());
    tasks_.spawn(save(parts_.record.keep(order.nodes())));
  }
  if (order.has_holdings() && is_news(order.holdings().revision(), holdings_revision_)) {
    take_holdings(order.holdings());
    tasks_.spawn(save(parts_.record.keep(order.holdings())));
  }
  if (order.has_assignments() && is_news(order.assignments().revision(), assignments_revision_)) {
    parts_.listener.on_assignments(order.assignments());
  }
}

void NodeAgent::take_nodes(const v1::Nodes& nodes) {
  std::map<NodeId, net::Address> addresses;
  for (const auto& each : nodes.nodes()) {
    auto address = net::Address::parse(each.internal());
    if (address) {
      addresses[NodeId(each.node())] = *std::move(address);
    } else {
      parts_.logger.error("the coordinator gave a node an address that is none",
                          {{"node", each.node()}, {"reason", address.error()}});
    }
  }
  parts_.links.set_nodes(std::move(addresses));
}

void NodeAgent::take_holdings(const v1::Holdings& holdings) {
  for (const auto& each : holdings.replicas()) {
    const ShardId id(each.shard());
    const bool known = parts_.group.find(id) != nullptr || taken_.contains(id) || failed_.contains(id);
    if (!known) tasks_.spawn(open_quietly(id, {each.namespace_(), read(each.key_order()), each.notifications()}));
    if (replica::Shard* shard = parts_.group.find(id)) shard->allow_followers(each.notifications());
  }
}

Task<> NodeAgent::save(Task<Result<>> saving) {
  const auto saved = co_await std::move(saving);
  if (!saved) parts_.logger.warn("what the coordinator told could not be kept on disk", {{"reason", saved.error()}});
}

void NodeAgent::report(Attendance& attendance, v1::Report& report) {
  const TimePoint now = parts_.core.now();
  const bool usage_due = !attendance.usage_at || now - *attendance.usage_at >= limits::usage_report_interval;
  report_replicas(attendance, usage_due, report);
  if (usage_due) {
    attendance.usage_at = now;
    *report.mutable_usage() = parts_.listener.usage();
  }
  if (const auto since = parts_.log.waiting_since()) {
    const auto silence = std::chrono::duration_cast<std::chrono::milliseconds>(now - *since).count();
    report.set_disk_silence_ms(static_cast<std::uint32_t>(silence));
  }
  for (const auto& each : parts_.record.value().nodes().nodes()) {
    if (each.node() == parts_.record.value().node()) continue;
    const auto heard = parts_.links.heard(NodeId(each.node()));
    if (!heard || now - *heard > limits::node_unheard_after) report.add_unheard(each.node());
  }
}

void NodeAgent::report_replicas(Attendance& attendance, bool with_load, v1::Report& report) {
  const TimePoint now = parts_.core.now();
  const std::optional<Error> obstruction = parts_.group.obstruction();
  Attendance::Look look{.changes = parts_.group.changes(),
                        .failed = failed_.size(),
                        .lapsed = parts_.leases.lapsed(parts_.core.clock().now()),
                        .obstructed = obstruction.has_value(),
                        .whole = true};
  if (!with_load && !obstruction && look == attendance.look) return;
  ++attendance.rounds;
  const auto tell = [&](ShardId id, v1::ReplicaReport each) {   // false: later
    auto& told = attendance.replicas[id];
    told.round = attendance.rounds;
    if (!with_load) {
      each.set_bytes(told.report.bytes());
      each.set_reads(told.report.reads());
      each.set_writes(told.report.writes());
    }
    std::string encoded = each.SerializeAsString();
    if (encoded == told.encoded) return true;
    const bool due = now - told.at >= limits::replica_report_interval;
    if (!due && same(substance(told.report), substance(each))) return look.whole = false;
    told = {std::nullopt, each, std::move(encoded), now, attendance.rounds};
    *report.add_replicas() = std::move(each);
    return true;
  };
  for (const auto& [id, shard] : parts_.group.shards()) {
    Seen seen(*shard);
    Attendance::Told& told = attendance.replicas[id];
    if (!with_load && !obstruction && told.seen == seen) {   // as of nearly all, nearly always
      told.round = attendance.rounds;
      continue;
    }
    v1::ReplicaReport each = report_of(id, seen);
    if (obstruction) tell_obstruction(*obstruction, each);
    if (with_load) add_load(*shard, each);
    const bool is_told = tell(id, std::move(each));
    told.seen = is_told && !obstruction ? std::optional(std::move(seen)) : std::nullopt;
  }
  for (const auto& [id, error] : failed_) tell(id, failed(id, error));
  std::erase_if(attendance.replicas, [&](const auto& entry) {
    if (entry.second.round == attendance.rounds) return false;
    auto& each = *report.add_replicas();
    each.set_shard(entry.first.value());
    each.set_role(v1::ReplicaReport::GONE);
    return true;
  });
  attendance.look = std::move(look);
}

v1::ReplicaReport NodeAgent::report_of(ShardId id, const Seen& seen) {
  const replica::ReplicaStatus& status = seen.status;
  v1::ReplicaReport report;
  report.set_shard(id.value());
  report.set_role(status.failure ? v1::ReplicaReport::FAILED : role_of(status));
  if (status.failure) report.set_reason(status.failure->message());
  report.set_term(status.term.value());
  report.set_version(status.version.value());
  report.set_serving(seen.serves);
  report.set_sealed(status.sealed);
  if (status.confirmed) report.set_confirmed(status.confirmed->value());
  report.set_head(status.head.offset.value());
  report.set_commit(status.commit.value());
  for (const auto& each : status.followers) {
    auto& follower = *report.add_followers();
    follower.set_node(each.node.value());
    follower.set_matched(each.matched.value());
    follower.set_streaming(each.mode == replica::FollowerProgress::Mode::streaming);
  }
  return report;
}

}   // namespace skerry::control
