// SPDX-License-Identifier: Apache-2.0
#include "replica/node_leases.hpp"

#include <algorithm>

#include "base/limits.hpp"
#include "replica/rules.hpp"

namespace skerry::replica {

HeldPromise NodeLeases::held_from(NodeId node) const {
  const auto pair = pairs_.find(node);
  return pair == pairs_.end() ? HeldPromise{} : pair->second.held();
}

TimePoint NodeLeases::given_to(NodeId node) const {
  const auto pair = pairs_.find(node);
  return pair == pairs_.end() ? TimePoint::min() : pair->second.given();
}

TimePoint NodeLeases::given_in_former_life() const {
  return kept(Rule::restarted_node_stands_promised) ? started_ + limits::lease_length : TimePoint::min();
}

std::vector<NodeId> NodeLeases::lapsed(TimePoint now) const {
  std::vector<NodeId> nodes;
  for (const auto& [node, pair] : pairs_) {
    if (pair.held().until <= now) nodes.push_back(node);
  }
  return nodes;
}

}  // namespace skerry::replica
