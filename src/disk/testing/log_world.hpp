// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <utility>

#include "base/assert.hpp"
#include "disk/log.hpp"
#include "disk/testing/simulated_disk.hpp"
#include "runtime/core.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::disk {

// A machine that can crash: one platter, and one process after the other on it, each with a core and a log. For tests.
class LogWorld {
 public:
  static LogOptions small(std::uint64_t segment_bytes = 16 << 10) {
    return {.segment_bytes = segment_bytes, .spare_segments_max = 2};
  }

  explicit LogWorld(LogOptions options = small(), std::uint64_t seed = 1) : options_(options), random_(seed) { boot(); }
  ~LogWorld() { power_down(); }

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

  Result<> open() {
    auto opened = run(Log::open(*core_, *disk_, "/log", options_));
    if (!opened) return fail(opened.error());
    log_ = std::move(*opened);
    return {};
  }
  Log& log() { return *log_; }
  // Everything appended so far is durable.
  Result<> sync() { return run(log_->wait_synced(Sequence(last_))); }
  // Remembers the sequence for sync().
  Result<Sequence> note(Result<Sequence> sequence) {
    if (sequence) last_ = std::max(last_, sequence->value());
    return sequence;
  }
  Result<Sequence> append(ShardId shard, Term term, Offset offset, BytesView payload) {
    return note(log_->append(shard, term, offset, payload));
  }
  Result<std::vector<LogEntry>> read(ShardId shard, Offset from, std::size_t bytes_max = 1 << 20) {
    return run(log_->read(shard, from, bytes_max));
  }

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
    auto stopped = run(log_->stop());
    log_.reset();
    return stopped;
  }
  Result<> reopen_after_crash() { return crash(), open(); }

  Core& core() { return *core_; }
  SimulatedDisk& disk() { return *disk_; }
  LogOptions& options() { return options_; }
  Random& random() { return random_; }

  ManualClock clock;
  SimulatedDiskState state;

 private:
  template <class T>
  static Task<> keep(Task<T> task, std::optional<T>& result) {
    result = co_await std::move(task);
  }

  void boot() {
    core_ = std::make_unique<Core>(CoreId{0}, clock, random_.next());
    disk_ = std::make_unique<SimulatedDisk>(*core_, state);
    tasks_ = std::make_unique<TaskScope>(*core_);
    last_ = 0;
  }
  void power_down() {
    if (core_) core_->drop_frames();
    log_.reset();
    tasks_.reset();
    disk_.reset();
    core_.reset();
  }

  LogOptions options_;
  Random random_;
  std::unique_ptr<Core> core_;
  std::unique_ptr<SimulatedDisk> disk_;
  std::unique_ptr<TaskScope> tasks_;
  std::unique_ptr<Log> log_;
  std::uint64_t last_ = 0;
};

// The shards of most tests.
constexpr ShardId one{1}, two{2};

}  // namespace skerry::disk
