// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"

namespace io::oxia::proto::v1 {
class NamespaceShardsAssignment;
}

namespace skerry::client {

// Where the keys of one namespace are: shards by hash range, and who leads them. Pure.
class ShardMap {
 public:
  struct Shard {
    ShardId id;
    std::uint32_t hash_min = 0, hash_max = 0;   // both inclusive
    std::string leader;                         // "" during an election
  };

  // Fails with corrupt when ranges overlap, are turned round or share an id. Gaps are allowed: a split may be under way.
  static Result<ShardMap> from(const io::oxia::proto::v1::NamespaceShardsAssignment& assignment);

  // Nothing while no shard has the hash.
  const Shard* route(std::uint32_t hash) const;
  const Shard* find(ShardId id) const;
  std::span<const Shard> shards() const { return shards_; }
  bool covers_all_hashes() const;
  // Whether it has shards whose hashes are those of others there that came later: numbers only rise.
  bool is_older_than(const ShardMap& other) const;
  // A hint from a server that knows better. False when that changes nothing.
  bool set_leader(ShardId id, const std::string& leader);

 private:
  std::vector<Shard> shards_;   // by hash_min
};

}  // namespace skerry::client
