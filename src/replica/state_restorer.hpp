// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>

#include "disk/log.hpp"
#include "store/snapshot_installer.hpp"

namespace skerry::replica {

// Gives a shard that was never opened its first state: a snapshot of any shard, as a backup holds it. The log says so in the end,
// and the shard takes it when it is opened. One core's; over the node's log and engine, which outlive it.
class StateRestorer {
 public:
  struct Parts {
    Core& core;
    disk::Log& log;
    store::Engine& engine;
    ShardId shard;
    store::KeyOrder order;
  };
  // What an attempt before has left of it is forgotten.
  static Result<std::unique_ptr<StateRestorer>> make(Parts parts);

  struct Restored {
    Term term;   // that the shard knows now
    std::uint64_t records = 0;   // of all its tables
  };
  // Takes the blocks one after the other, waiting for room. Durable when the last one is answered, with what it has become. Fails
  // with corrupt, and as log and engine do; then it is of no use any more.
  Task<Result<std::optional<Restored>>> take(Bytes block);

 private:
  StateRestorer(Parts parts, store::ShardEngine& state);
  Task<Result<>> wait_for_room();

  Parts parts_;
  store::SnapshotInstaller installer_;
};

}   // namespace skerry::replica
