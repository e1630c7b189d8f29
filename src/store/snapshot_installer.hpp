// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "store/shard_bookkeeping.hpp"
#include "store/snapshot_format.hpp"

namespace skerry::store {

// Takes a snapshot in beside the state that a shard serves, and makes it durable when it is whole; the engine's take_staged() is
// then the step that replaces one by the other. Until then nothing has changed. Whoever owns the shard's engine owns at most one
// of these.
class SnapshotInstaller {
 public:
  // Forgets what was staged before. Without a shard: a snapshot of any will do.
  SnapshotInstaller(ShardEngine& engine, std::optional<ShardId> shard, KeyOrder order);

  // Fails with corrupt, and with invalid_argument when the snapshot is of another shard; then it is of no use any more.
  Result<> take(BytesView block);
  bool begun() const { return reader_.begun(); }
  const SnapshotHead& head() const { return reader_.head(); }
  const SnapshotPlace& place() const { return reader_.place(); }
  bool whole() const { return reader_.whole(); }
  // Once it is whole: durable when this returns.
  Task<Result<>> finish();
  ShardBookkeeping& bookkeeping() { return bookkeeping_; }

 private:
  Result<> check_head() const;

  ShardEngine& engine_;
  const std::optional<ShardId> shard_;
  const KeyOrder order_;
  SnapshotReader reader_;
  ShardBookkeeping bookkeeping_;
  std::vector<Write> writes_;   // of a block; kept for its room
};

}   // namespace skerry::store
