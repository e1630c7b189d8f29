// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "disk/log.hpp"
#include "disk/testing/simulated_disk.hpp"
#include "replica/shard.hpp"
#include "runtime/task_scope.hpp"
#include "sim/watched_log.hpp"
#include "sim/world.hpp"
#include "store/memory_engine.hpp"

namespace skerry::sim {

// Mistakes made on purpose: a simulation that doesn't find them proves nothing.
enum class Planted : std::uint8_t {
  nothing,
  early_answer,      // writes are answered before they are synced
  unsynced_names,    // the engine's checkpoints count as durable before their names are
};

// One machine with one node: a disk that outlives its processes, and at most one process at a time with a core, a log, an engine
// in memory and one shard. The real code of all of them.
class StoreMachine {
 public:
  StoreMachine(World& world, AppendListener& listener, store::KeyOrder order, Planted planted)
      : world_(world), listener_(listener), order_(order), planted_(planted) {}
  ~StoreMachine() { end(); }

  void boot();                    // a process; nothing is open yet
  // Opens log, engine and shard. The disk may fail, and the process may be gone before it ends.
  Task<Result<>> open();
  Task<Result<>> stop();          // gracefully
  void crash();                   // with the power
  void kill();                    // the process only

  bool running() const { return core_ != nullptr; }
  Core& core() { return *core_; }
  TaskScope& tasks() { return *tasks_; }
  disk::Log& log() { return *log_; }
  store::Engine& engine() { return *engine_; }
  replica::Shard* shard() const { return shard_.get(); }   // null until open
  disk::SimulatedDiskState platters;

  static constexpr ShardId shard_id{3};

 private:
  void end();

  World& world_;
  AppendListener& listener_;
  const store::KeyOrder order_;
  const Planted planted_;
  Core* core_ = nullptr;
  std::unique_ptr<disk::Disk> disk_;
  std::unique_ptr<TaskScope> tasks_;
  std::unique_ptr<disk::Log> log_;
  std::unique_ptr<store::MemoryEngine> engine_;
  std::unique_ptr<replica::Shard> shard_;
};

}  // namespace skerry::sim
