// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <vector>

#include "replica/pair_lease.hpp"

namespace skerry::replica {

// All leases between this node and others. Pure, one core's; the replicas of the node share it and must not outlive it.
class NodeLeases {
 public:
  NodeLeases(Incarnation incarnation, TimePoint started) : incarnation_(incarnation), started_(started) {}

  Incarnation incarnation() const { return incarnation_; }
  // Towards each node that shares a shard: every heartbeat_interval send what this gives.
  Heartbeat heartbeat(NodeId to, TimePoint now) { return pair(to).heartbeat(now); }
  HeartbeatAnswer answer(NodeId from, const Heartbeat& heartbeat, TimePoint now) { return pair(from).answer(heartbeat, now); }
  HeartbeatNews answered(NodeId from, const HeartbeatAnswer& answer) { return pair(from).answered(answer); }
  // Whose promises have run out, or were never given: what depends on leases changes by itself only when this does.
  std::vector<NodeId> lapsed(TimePoint now) const;
  void forget(NodeId node) { pairs_.erase(node); }   // it shares no shard any more

  // --- for the replicas
  HeldPromise held_from(NodeId node) const;
  TimePoint given_to(NodeId node) const;
  // Until when others may count on what a former life of this node promised.
  TimePoint given_in_former_life() const;
  void fenced(NodeId leader, FencedNews news) { pair(leader).fenced(news); }

 private:
  PairLease& pair(NodeId node) { return pairs_.try_emplace(node, incarnation_).first->second; }
  Incarnation incarnation_;
  TimePoint started_;
  std::map<NodeId, PairLease> pairs_;
};

}  // namespace skerry::replica
