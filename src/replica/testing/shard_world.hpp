// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>
#include <utility>

#include "base/assert.hpp"
#include "disk/log.hpp"
#include "disk/testing/simulated_disk.hpp"
#include "replica/shard_group.hpp"
#include "runtime/core.hpp"
#include "runtime/task_scope.hpp"
#include "store/memory_engine.hpp"

namespace skerry::replica {

// A machine with one node on it that can crash: a disk that forgets, and one process after the other with a core, a log, an
// engine in memory and a group of shards. Time is moved by hand, or when nothing else can happen. For tests.
class ShardWorld {
 public:
  struct Options {
    disk::LogOptions log{.segment_bytes = 1 << 20, .spare_segments_max = 2};
    ShardGroupOptions group;
    ShardOptions shard;
  };
  explicit ShardWorld(Options options, std::uint64_t seed = 1) : options_(std::move(options)), random_(seed) { boot(); }
  ShardWorld() : ShardWorld(Options{}) {}
  ~ShardWorld() { power_down(); }

  // Runs the task to its end. Time moves when nothing else can.
  template <class T>
  T run(Task<T> task) {
    std::optional<T> result;
    tasks_->spawn(keep(std::move(task), result));
    while (!result && step()) {}
    SKERRY_ASSERT(result.has_value());   // it waits for something that never comes
    return std::move(*result);
  }
  bool step() {
    if (core_->run_turn()) return true;
    const auto timer = core_->next_timer();
    if (!timer) return false;
    clock.advance(*timer - clock.now());
    return true;
  }
  // Everything that is ready now; time stands still.
  void settle() {
    while (core_->run_turn()) {}
  }
  void pass(Duration time) {
    const TimePoint until = clock.now() + time;
    settle();
    while (core_->next_timer().value_or(no_deadline) <= until) {
      if (*core_->next_timer() > clock.now()) clock.advance(*core_->next_timer() - clock.now());
      settle();
    }
    clock.advance(until - clock.now());
    settle();
  }

  // Log, engine and group; no shard yet.
  Result<> start_node() {
    auto log = run(disk::Log::open(*core_, *disk_, "/node-0/log", options_.log));
    if (!log) return fail(log.error());
    log_ = *std::move(log);
    auto engine = run(store::MemoryEngine::open(*core_, *disk_, "/node-0/engine"));
    if (!engine) return fail(engine.error());
    engine_ = *std::move(engine);
    group_ = std::make_unique<ShardGroup>(*core_, *log_, *engine_, options_.group);
    return {};
  }
  Result<> open(ShardId shard = ShardId(0)) {
    if (!group_) TRYV(start_node());
    auto opened = run(group_->open(shard, options_.shard));
    if (!opened) return fail(opened.error());
    return {};
  }
  Shard& shard(ShardId id = ShardId(0)) { return *group_->find(id); }

  void crash() {
    power_down();
    state.crash(random_);
    boot();
  }
  void kill() {
    power_down();
    state.kill();
    boot();
  }
  Result<> stop() {
    TRYV(run(group_->stop()));
    TRYV(run(engine_->stop()));
    group_.reset();
    engine_.reset();
    auto stopped = run(log_->stop());
    log_.reset();
    return stopped;
  }
  // A new process after a graceful stop.
  Result<> restart() {
    TRYV(stop());
    kill();
    return open();
  }

  Core& core() { return *core_; }
  disk::SimulatedDisk& disk() { return *disk_; }
  disk::Log& log() { return *log_; }
  store::MemoryEngine& engine() { return *engine_; }
  ShardGroup& group() { return *group_; }
  TaskScope& tasks() { return *tasks_; }
  Options& options() { return options_; }
  Random& random() { return random_; }

  ManualClock clock;
  disk::SimulatedDiskState state;

 private:
  template <class T>
  static Task<> keep(Task<T> task, std::optional<T>& result) {
    result.emplace(co_await std::move(task));
  }

  void boot() {
    core_ = std::make_unique<Core>(CoreId{0}, clock, random_.next());
    disk_ = std::make_unique<disk::SimulatedDisk>(*core_, state);
    tasks_ = std::make_unique<TaskScope>(*core_);
  }
  void power_down() {
    if (core_) core_->drop_frames();
    group_.reset();
    engine_.reset();
    log_.reset();
    tasks_.reset();
    disk_.reset();
    core_.reset();
  }

  Options options_;
  Random random_;
  std::unique_ptr<Core> core_;
  std::unique_ptr<disk::SimulatedDisk> disk_;
  std::unique_ptr<TaskScope> tasks_;
  std::unique_ptr<disk::Log> log_;
  std::unique_ptr<store::MemoryEngine> engine_;
  std::unique_ptr<ShardGroup> group_;
};

// Requests of one operation, with their bytes.
class PutRequest {
 public:
  PutRequest(Bytes key, Bytes value) : key_(std::move(key)), value_(std::move(value)) {
    put.key = key_;
    put.value = value_;
  }
  PutRequest(const PutRequest&) = delete;
  PutRequest& operator=(const PutRequest&) = delete;
  store::WriteRequest request() const { return {{&put, 1}, {}, {}}; }
  store::Put put;

 private:
  Bytes key_, value_;
};

}  // namespace skerry::replica
