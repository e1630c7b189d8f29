// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "store/engine.hpp"
#include "store/hash_range.hpp"
#include "store/layout.hpp"

namespace skerry {
class Core;
}

namespace skerry::store {

// Copies the states of shards that are to be others, each record to the child that its hash belongs to, from views that are
// pinned from its construction to its end. The copies are staged in the children; whoever owns those makes them durable and takes
// them.
//
// What follows a record (index entries, its place in the lists of its session and of what is due to go) is made anew from it, so
// what range deletions orphaned stays behind. Sessions, remembered replies and the counters go to every child; of two parents'
// counters the higher. On the engine's core; drop it before the engine stops.
class StateFork {
 public:
  struct Child {
    ShardEngine* engine = nullptr;
    HashRange hashes;
  };
  struct Parts {
    Core& core;
    KeyOrder order;
    std::vector<ShardEngine*> parents;
    std::vector<Child> children;   // their hashes don't overlap
    std::function<bool()> has_room = nullptr;   // whether the engine may be given more now; null: always
  };
  explicit StateFork(Parts parts);

  // Fails with ReshapeError::foreign_records or sessions_collide, with corrupt, or as the engine does; then what is staged is of
  // no use. Yields where it takes long.
  Task<Result<>> run();
  Task<Result<>> take_bookkeeping();   // that alone, of a copy that has been made and brought up to date
  std::uint64_t records() const { return records_; }   // copied

 private:
  using Values = std::span<const BytesView>;   // one of each parent that has the key
  using Visitor = std::function<Result<>(BytesView key, Values values)>;

  Task<Result<>> walk(Space space, Visitor visit);
  Result<> take_record(BytesView key, Values values);
  Result<> take_session(BytesView key, Values values);
  Result<> take_request(BytesView key, Values values);
  Result<> take_bookkeeping(BytesView key, Values values);
  void stage(ShardEngine& child, Space space, BytesView key, BytesView value);
  void stage_all(Space space, BytesView key, BytesView value);
  void stage_owned(ShardEngine& child, BytesView name, const RecordView& record);

  Parts parts_;
  std::vector<HashRange> hashes_;   // of the children
  std::vector<std::vector<std::unique_ptr<Cursor>>> cursors_;   // of each space, of each parent
  std::uint64_t records_ = 0;
};

// What the sessions of shards that are to be one say about that: sessions_collide when two have one of the same id.
Task<Result<>> check_sessions_apart(std::vector<ShardEngine*> parents);

}   // namespace skerry::store
