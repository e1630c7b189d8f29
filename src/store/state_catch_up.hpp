// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "store/engine.hpp"
#include "store/hash_range.hpp"
#include "store/key_order.hpp"

namespace skerry {
class Core;
}

namespace skerry::store {

// Brings the staged copy of two shards that are to be one up to where these have come since: hears of their entries, and stages
// what the shards have now under each key that those touch. Bookkeeping is not its affair: see StateFork. On the engine's core;
// drop it before the engine stops.
class StateCatchUp {
 public:
  struct Parts {
    Core& core;
    std::vector<ShardEngine*> parents;
    ShardEngine* child = nullptr;
    HashRange hashes;   // the child's
    KeyOrder order;
    std::function<bool()> has_room = nullptr;   // whether the engine may be given more now; null: always
  };
  explicit StateCatchUp(Parts parts) : parts_(std::move(parts)) {}

  // Of an entry that one of the shards has applied. Fails with unsupported where it deletes a range: what of it was the shard's
  // can't be told any more, and the copy has to be made anew.
  Result<> note(BytesView entry);
  // Fails with ReshapeError::foreign_records or sessions_collide, or as the engine does. Yields where it takes long.
  Task<Result<>> settle();

 private:
  using Place = std::pair<Space, Bytes>;
  Task<Result<bool>> read(ShardEngine& parent, Space space, Bytes key, Bytes& value);
  Result<> stage(const Place& place, std::vector<Bytes> values);

  const Parts parts_;
  std::set<Place> touched_;
};

}   // namespace skerry::store
