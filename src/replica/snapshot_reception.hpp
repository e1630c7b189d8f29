// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "replica/engine_room.hpp"
#include "replica/peers.hpp"
#include "runtime/core.hpp"
#include "store/snapshot_installer.hpp"

namespace skerry::replica {

// Takes in the state that a leader sends, beside the one there is. What an attempt took is kept for the next one with the same
// snapshot; a snapshot with another head begins anew. Owned by the replica's driver, which decides what becomes of the state.
class SnapshotReception {
 public:
  struct Parts {
    Core& core;
    store::ShardEngine& engine;
    ShardId shard;
    store::KeyOrder order;
    EngineRoom room;
  };
  explicit SnapshotReception(Parts parts) : parts_(parts) {}
  SnapshotReception(const SnapshotReception&) = delete;
  SnapshotReception& operator=(const SnapshotReception&) = delete;

  // Returns once the state is whole and durable. An attempt that begins ends the one before it, with aborted. `head` is the
  // block.
  Task<Result<>> take(Bytes head, ArrivingSnapshot& blocks);
  // Of a whole one.
  store::ShardBookkeeping& bookkeeping() { return installer_->bookkeeping(); }
  const store::SnapshotHead& head() const { return installer_->head(); }
  // The state was taken by the engine: this one is done.
  void end();
  // It is of no use any more.
  void drop();
  void close();   // ends the attempt, and those to come

 private:
  Result<> begin(Bytes head);
  Result<> check(std::uint64_t attempt) const;
  Task<> wait_for_room();

  Parts parts_;
  std::unique_ptr<store::SnapshotInstaller> installer_;
  Bytes head_;   // of the snapshot that it takes
  std::uint64_t attempts_ = 0;
  bool closed_ = false;
};

}   // namespace skerry::replica
