// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>

#include "disk/disk.hpp"
#include "runtime/wait_list.hpp"
#include "store/engine.hpp"

namespace skerry::store {

class MemoryShard;

// The engine that keeps everything in memory: for unit tests and simulation, and for namespaces that fit. A checkpoint writes
// each changed shard whole to a checksummed file of its own, `shard-N.state`, replaced atomically (memory_file.hpp), through
// the disk seam, so that simulation covers a crash at any step of it. A whole staged state is in `shard-N.staged` until the one
// that took its place is in the other. Nothing is ever cold.
// Lives on its node's core; drop the shards' cursors first.
class MemoryEngine final : public Engine {
 public:
  // Without a disk: for tests of the state machine. A checkpoint makes nothing durable, but says so.
  MemoryEngine();
  // Over a folder, made when it isn't there. Reads every shard; a damaged file is refused with its path and what to do.
  // Core and disk must outlive the engine.
  static Task<Result<std::unique_ptr<MemoryEngine>>> open(Core& core, disk::Disk& disk, std::string folder);
  ~MemoryEngine() override;

  Result<ShardEngine*> shard(ShardId shard) override;
  std::vector<ShardId> shards() const override;
  Task<Result<>> drop(ShardId shard) override;
  Task<Result<>> checkpoint() override;
  Result<> health() const override { return health_; }
  Task<Result<>> stop() override;

 private:
  struct Place;
  class Turn;
  MemoryEngine(Core& core, disk::Disk& disk, std::string folder);
  Task<Result<>> read_all();
  MemoryShard& made(ShardId shard);
  friend class MemoryShard;
  Task<Result<>> write(ShardId id);
  Task<Result<>> write_staged(ShardId id, Offset offset);
  Task<> take_turn();

  std::unique_ptr<Place> place_;   // empty without a disk
  std::map<ShardId, std::unique_ptr<MemoryShard>> shards_;
  Result<> health_;
  bool busy_ = false;              // a checkpoint or a drop is writing: others wait their turn
};

}  // namespace skerry::store
