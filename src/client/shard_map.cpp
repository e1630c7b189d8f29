// SPDX-License-Identifier: Apache-2.0
#include "client/shard_map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "oxia/client.pb.h"

namespace skerry::client {

Result<ShardMap> ShardMap::from(const io::oxia::proto::v1::NamespaceShardsAssignment& assignment) {
  ShardMap map;
  std::set<ShardId> ids;
  for (const auto& each : assignment.assignments()) {
    const auto& range = each.int32_hash_range();
    Shard shard{ShardId{each.shard()}, range.min_hash_inclusive(), range.max_hash_inclusive(), each.leader()};
    if (shard.hash_min > shard.hash_max) {
      return fail(Errc::corrupt, fmt::format("assignments: the hash range of shard {} ends before it begins", each.shard()));
    }
    if (!ids.insert(shard.id).second) {
      return fail(Errc::corrupt, fmt::format("assignments: shard {} is named twice", each.shard()));
    }
    map.shards_.push_back(std::move(shard));
  }
  std::ranges::sort(map.shards_, {}, &Shard::hash_min);
  for (std::size_t i = 1; i < map.shards_.size(); ++i) {
    const Shard& left = map.shards_[i - 1];
    const Shard& right = map.shards_[i];
    if (right.hash_min <= left.hash_max) {
      return fail(Errc::corrupt,
                  fmt::format("assignments: the hash ranges of shards {} and {} overlap", left.id.value(), right.id.value()));
    }
  }
  return map;
}

const ShardMap::Shard* ShardMap::route(std::uint32_t hash) const {
  auto after = std::ranges::upper_bound(shards_, hash, {}, &Shard::hash_min);
  if (after == shards_.begin()) return nullptr;
  const Shard& shard = *std::prev(after);
  return hash <= shard.hash_max ? &shard : nullptr;
}

const ShardMap::Shard* ShardMap::find(ShardId id) const {
  const auto found = std::ranges::find(shards_, id, &Shard::id);
  return found == shards_.end() ? nullptr : &*found;
}

bool ShardMap::covers_all_hashes() const {
  std::uint64_t next = 0;
  for (const Shard& shard : shards_) {
    if (shard.hash_min != next) return false;
    next = std::uint64_t{shard.hash_max} + 1;
  }
  return next == std::uint64_t{1} << 32;
}

bool ShardMap::is_older_than(const ShardMap& other) const {
  return std::ranges::any_of(shards_, [&](const Shard& shard) {
    if (other.find(shard.id) != nullptr) return false;
    return std::ranges::any_of(other.shards_, [&](const Shard& its) {
      return its.id > shard.id && its.hash_min <= shard.hash_max && shard.hash_min <= its.hash_max;
    });
  });
}

bool ShardMap::set_leader(ShardId id, const std::string& leader) {
  const auto found = std::ranges::find(shards_, id, &Shard::id);
  if (found == shards_.end() || found->leader == leader) return false;
  found->leader = leader;
  return true;
}

}  // namespace skerry::client
