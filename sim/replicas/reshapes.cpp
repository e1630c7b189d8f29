// SPDX-License-Identifier: Apache-2.0
// What a SimNode does when it is called: replicas are deleted, sealed, and made of others.
#include <algorithm>

#include "sim/replicas/node.hpp"

namespace skerry::sim {

using namespace replica;
using control::NodeReply;
using control::Refused;

bool SimNode::erase(ShardId shard, Term term) {
  Replica& one = replica(shard);
  const auto is_its = [shard](const LogRecord& record) { return record.shard == shard; };
  if (one.core->term() > term || std::ranges::any_of(unsynced_, is_its)) return false;
  one.live = one.durable = SimStore();
  one.applied = {};
  one.state = 0;
  one.proposed.clear();
  one.askers.clear();
  one.core = std::make_unique<ReplicaCore>(shard, id_, one.durable.recovered(), *leases_);
  return true;
}

std::optional<NodeReply> SimNode::seal(ShardId shard, Term term) {
  Replica& one = replica(shard);
  const ReplicaCore& core = *one.core;
  if (!core.leads() || core.term() != term) {
    return Refused{.known = core.term(), .why = "it does not lead", .reason = Refused::Reason::not_leader};
  }
  one.sealed = term;
  if (core.role() != ReplicaCore::Role::serving || one.applied.offset < core.last()) return std::nullopt;
  return control::ShardSealed{core.head()};
}

NodeReply SimNode::unseal(ShardId shard, Term term) {
  Replica& one = replica(shard);
  if (one.sealed == term) one.sealed = no_term;
  return control::ShardUnsealed{};
}

// What the replica's state is at its head, though it may not know yet that this is committed.
std::optional<std::uint64_t> SimNode::state_at(Replica& one, const EntryId& head) const {
  const bool is_there = one.core->head() == head && one.core->persisted() >= head.offset;
  if (!is_there) return std::nullopt;
  std::uint64_t state = one.state;
  for (Offset at = one.applied.offset.next(); at <= std::min(head.offset, one.live.last()); at = at.next())
    state = chain(state, one.live.at(at));
  return state;
}

std::optional<NodeReply> SimNode::reshape(const control::Reshape& asked) {
  std::vector<ShardId> parents;
  std::vector<Offset> heads;
  std::vector<std::uint64_t> states;
  for (const control::Reshape::Parent& each : asked.parents) {
    Replica& parent = replica(each.shard);
    const Term known = parent.core->term();
    if (known > each.term) return Refused{.known = known, .why = "it knows a higher term"};
    const auto state = state_at(parent, each.head);
    if (known != each.term || parent.core->role() != ReplicaCore::Role::fenced || !state) {
      return Refused{.known = {}, .why = "it is not there", .reason = Refused::Reason::behind};
    }
    parents.push_back(each.shard);
    heads.push_back(each.head.offset);
    states.push_back(*state);
  }
  const EntryId base{asked.term, std::ranges::max(heads)};
  bool done = true;
  for (std::size_t i = 0; i < asked.children.size(); ++i) {
    Replica& child = replica(asked.children[i].shard);
    const std::uint64_t state = derive(states.front(), states.back(), i);
    if (child.core->term() > asked.term || (child.durable.term == asked.term && child.durable.applied == base)) continue;
    done = false;
    if (child.live.term == asked.term) continue;   // on the way to the disk
    log(child, LogRecord::Make{asked.term, base, state});
    child.applied = base;
    child.state = state;
    child.core = std::make_unique<ReplicaCore>(child.shard, id_, child.live.recovered(), *leases_);
    unsynced_.back().position = child.core->position();
  }
  if (!done && around_.mistake != ReshapeMistake::answered_before_synced) return std::nullopt;
  return control::Reshaped{};
}

}  // namespace skerry::sim
