// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "store/snapshot_format.hpp"

namespace skerry::store {

// Makes a snapshot of a shard's state, block by block, from a view of it that is pinned from its construction to its end: what is
// written meanwhile is not in it. All of the shard's spaces are. It can go back to where a reader has come. On the engine's core;
// drop it before the engine stops. A checkpoint before it is made leaves little in memory to be pinned.
class SnapshotSource {
 public:
  // Of the head, `offset` is filled in.
  SnapshotSource(ShardEngine& engine, SnapshotHead head);

  const SnapshotHead& head() const { return head_; }
  // Goes on behind what the reader of these blocks has taken.
  void go_on(const SnapshotPlace& taken);
  const SnapshotPlace& place() const { return place_; }
  // The next block; nothing after the last. Fails when the engine does. Yields where making it takes long.
  Task<Result<std::optional<Bytes>>> next();

 private:
  Task<Result<>> fill(Bytes& payload);
  Bytes block(BlockKind kind, BytesView payload);
  Bytes end() const;

  SnapshotHead head_;
  const Bytes head_payload_;
  std::uint32_t mark_ = 0;
  std::vector<std::pair<Space, std::unique_ptr<Cursor>>> cursors_;   // of the spaces, in order
  std::size_t at_ = 0;   // of them
  bool stands_ = false;   // the cursor there was moved to where it goes on
  bool ended_ = false;
  SnapshotPlace place_;
};

}   // namespace skerry::store
