// SPDX-License-Identifier: Apache-2.0
#include "node/assignments.hpp"

namespace skerry::node {

std::shared_ptr<const serve::Assignments> assignments_of(const control::v1::Assignments& told, NodeId self, CoreId core) {
  auto assignments = std::make_shared<serve::Assignments>();
  for (const auto& space : told.namespaces()) {
    auto& places = assignments->namespaces[space.name()];
    for (const auto& shard : space.shards()) {
      serve::ShardPlace place;
      place.shard = ShardId(shard.shard());
      place.hash_min = shard.hash_min();
      place.hash_max = shard.hash_max();
      if (!shard.leader_public().empty() && NodeId(shard.leader()) == self) place.core = core;
      place.leader = shard.leader_public();
      places.push_back(std::move(place));
    }
  }
  assignments->allowed_authorities.assign(told.allowed_authorities().begin(), told.allowed_authorities().end());
  return assignments;
}

}  // namespace skerry::node
