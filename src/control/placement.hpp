// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "control/cluster_config.hpp"

// Where replicas and leaders should be. Pure functions over what is there.
namespace skerry::control {

struct PlacementNode {
  NodeId node;
  std::string name;
  std::string pool;   // two nodes of one pool share a failure; empty: unknown, and shared with nobody
  Labels labels{};
  bool takes_replicas = true;   // stays, and is not being drained
  bool takes_leaders = true;    // and is trusted
  bool present = true;          // serves now
  double load = 0;              // of its replicas, in replicas of average size
  double leader_load = 0;       // of what it leads, in shards of average use
};
using PlacementNodes = std::map<NodeId, PlacementNode>;

struct PlacementRules {
  std::uint32_t replicas = 1;
  std::vector<AntiAffinity> anti_affinities{};
};

// Why these nodes can't be a shard's voters: not as many as wanted, one that does not take replicas, two of one pool, two that
// strict rules keep apart. Empty: they can.
std::string why_misplaced(const std::vector<NodeId>& voters, const PlacementNodes& nodes, const PlacementRules& rules);

// The voters that a shard should have, in order: as many as possible of `current`, its first before the others, then where
// relaxed rules hold, then those that are present, then where the load is least. Fails with unavailable when there is no such
// set; the text says which rule leaves too few.
Result<std::vector<NodeId>> choose_voters(const std::vector<NodeId>& current, const PlacementNodes& nodes,
                                          const PlacementRules& rules);

// A shard as balancing sees it.
struct PlacedShard {
  ShardId shard;
  std::vector<NodeId> voters;
  std::optional<NodeId> leader;
  double load = 1;   // of each replica
  double leader_load = 1;   // of leading it
  const PlacementRules* rules = nullptr;
};

struct BalancingStep {
  ShardId shard;
  NodeId from, to;
};

// The replica whose move from a fuller to an emptier node helps most, when it helps at least by the stated gain. Between nodes
// that are present: one that is away comes back.
std::optional<BalancingStep> propose_move(const std::vector<PlacedShard>& shards, const PlacementNodes& nodes);
// The same of leaders, between a shard's voters. A node that does not take leaders gives its own away whatever the gain.
std::optional<BalancingStep> propose_transfer(const std::vector<PlacedShard>& shards, const PlacementNodes& nodes);

}   // namespace skerry::control
