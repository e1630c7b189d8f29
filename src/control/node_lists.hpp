// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <vector>

#include "control/cluster_status.hpp"

// What the parts of the coordinator's core ask of lists of nodes.
namespace skerry::control {

inline bool holds(const std::vector<NodeId>& nodes, NodeId node) { return std::ranges::find(nodes, node) != nodes.end(); }

inline std::vector<NodeId> sorted(std::vector<NodeId> nodes) {
  std::ranges::sort(nodes);
  return nodes;
}

// Where a shard's voters are going to be.
inline std::vector<NodeId> target_of(const ShardStatus& shard) {
  return shard.wanted.empty() ? sorted(shard.members.voters) : shard.wanted;
}

}   // namespace skerry::control
