// SPDX-License-Identifier: Apache-2.0
// What a SimNode does with messages.
#include <algorithm>

#include "sim/replicas/node.hpp"

namespace skerry::sim {

using namespace replica;

void SimNode::receive(const Message& message) {
  if (!running_ || (is_coordinator(message.from) && !obeys(message.epoch))) return;
  when_running(life_, [this, message] { take(replica(message.shard), message); });
}

void SimNode::take(Replica& one, const Message& message) {
  const auto taken = [&](const auto& content) {
    if constexpr (requires { take(one, message.from, content); }) take(one, message.from, content);
  };
  std::visit(taken, message.content);
}

void SimNode::take(Replica& one, NodeId from, const Entries& message) {
  arriving_ = message.values;
  carry_out(one, one.core->append(from, message.header, now()));
}

void SimNode::take(Replica& one, NodeId from, const AppendAnswer& message) {
  carry_out(one, one.core->answered(from, message, now()));
}

void SimNode::take(Replica& one, NodeId from, const Snapshot& message) {
  arriving_ = {message.state};
  carry_out(one, one.core->snapshot_arrived(from, message.header, now()));
  send(one, from, SnapshotTaken{message.header.term, message.header.entry.offset});
}

void SimNode::take(Replica& one, NodeId from, const SnapshotTaken& message) {
  if (one.core->leads() && one.core->term() == message.term) carry_out(one, one.core->snapshot_ended(from, message.offset));
}

// --- leases

void SimNode::heartbeats() {
  for (std::uint32_t to = 0; to < static_cast<std::uint32_t>(nodes_); ++to) {
    if (NodeId(to) != id_) send(replicas_.front(), NodeId(to), leases_->heartbeat(NodeId(to), now()));
  }
  later(in_true_time(limits::heartbeat_interval), [this] { heartbeats(); });
}

void SimNode::take(Replica& one, NodeId from, const Heartbeat& message) {
  send(one, from, leases_->answer(from, message, now()));
}

void SimNode::take(Replica&, NodeId from, const HeartbeatAnswer& message) {
  const HeartbeatNews news = leases_->answered(from, message);
  for (const FencedNews& each : news.fenced) carry_out(replica(each.shard), replica(each.shard).core->hear(each.term, now()));
  if (!news.restarted) return;
  for (Replica& each : replicas_) carry_out(each, each.core->probe(from));
}

// --- the coordinator

void SimNode::take(Replica& one, NodeId from, const NewTerm& message) {
  one.askers.insert(from);
  auto effects = one.core->new_term(message, now());
  if (!effects) {
    one.askers.erase(from);
    refuse(one, from, message.term, 0);
  }
  carry_out(one, std::move(effects));
}

void SimNode::take(Replica& one, NodeId from, const BecomeLeader& message) {
  const bool led = one.core->leads();
  auto effects = one.core->become_leader(message, now());
  if (!effects) return refuse(one, from, message.term, 1);
  if (!led) {
    around_.oracle.check_leader(one.shard, message.term, [&one](Offset offset) -> std::optional<SimEntry> {
      if (offset <= one.applied.offset && !one.live.holds(offset)) return SimEntry{no_term, 0};
      if (!one.live.holds(offset)) return std::nullopt;
      return one.live.at(offset);
    });
  }
  carry_out(one, std::move(effects));
  send(one, from, LeaderInstalled{message.term});
}

void SimNode::take(Replica& one, NodeId from, const ChangeMembers& message) {
  auto effects = one.core->change_members(message);
  if (!effects) refuse(one, from, message.term, 2);
  carry_out(one, std::move(effects));
}

void SimNode::refuse(const Replica& one, NodeId coordinator, Term asked, std::size_t kind) {
  if (around_.tells_refusals) send(one, coordinator, CallRefused{asked, one.core->term(), kind});
}

control::NodeReport SimNode::report() {
  using Role = control::ReplicaReport::Role;
  control::NodeReport report;
  for (Replica& one : replicas_) {
    const ReplicaCore& core = *one.core;
    control::ReplicaReport each;
    each.shard = one.shard;
    each.role = core.leads() ? Role::leader : core.role() == ReplicaCore::Role::following ? Role::follower : Role::fenced;
    each.term = core.term();
    each.version = core.version();
    each.serving = serves(one.shard);
    each.sealed = core.leads() && one.sealed == core.term();
    each.confirmed = core.confirmed_version();
    each.head = core.last();
    each.commit = core.commit();
    for (const FollowerProgress& follower : core.followers()) {
      each.followers.push_back({.node = follower.node(),
                                .matched = follower.matched(),
                                .streaming = follower.mode() == FollowerProgress::Mode::streaming});
    }
    report.replicas.push_back(std::move(each));
  }
  return report;
}

}  // namespace skerry::sim
