// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "runtime/cores.hpp"

namespace skerry {

// How many cores, and on which processors they run.
struct CorePlacement {
  std::size_t count = 1;
  std::vector<unsigned> processors;   // one for each core, or none: not pinned

  // "4": that many cores on the first processors this process may use; "0,2" or "0-3": these processors; "": one core for each.
  // Unpinned when `pin` is false, or when there are more cores than processors.
  static Result<CorePlacement> parse(std::string_view text, bool pin = true);
  // Processors that this process may use and no core runs on; none where cores are not pinned.
  std::vector<unsigned> spare() const;
};

// What a loop shows of itself to other threads.
struct LoopFigures {
  std::atomic<std::int64_t> turn_began{0};   // nanoseconds on the monotonic clock; 0 between turns
  std::atomic<std::uint64_t> turns{0};
  std::atomic<std::uint64_t> busy_nanos{0};   // spent in turns that ran something
  std::atomic<std::uint64_t> stalls{0};   // turns above the stall limit
  std::atomic<pthread_t> thread{};   // set before `alive`
  std::atomic<bool> alive{false};
};

struct CoreThreadOptions {
  CorePlacement placement;
  Duration busy_wait = Duration::zero();   // keep looking for work this long before going to sleep
  Duration stall_limit = 25ms;   // longer turns are counted
};

// The threads that drive the cores of a process: one each, named, pinned. An exception that leaves a loop is a bug of ours: it is
// printed with the core's number, and the process aborts. Owned by App; destroyed (stopped and joined) before the Cores.
class CoreThreads {
 public:
  CoreThreads(Cores& cores, CoreThreadOptions options);
  CoreThreads(const CoreThreads&) = delete;
  CoreThreads& operator=(const CoreThreads&) = delete;
  ~CoreThreads() { stop(); }

  Result<> start();   // fails when a processor can't be had
  // Ends each loop after the turn it is in, and joins the threads. From any thread but those.
  void stop();
  const LoopFigures& figures(CoreId core) const { return drivers_.at(core.value())->figures; }
  std::size_t size() const { return drivers_.size(); }

 private:
  struct Driver {
    explicit Driver(Core& driven) : core(driven) {}
    Core& core;
    LoopFigures figures;
    bool stopping = false;   // the loop's own
    std::thread thread;
  };
  void drive(Driver& driver) const;
  bool turn(Driver& driver) const;

  CoreThreadOptions options_;
  std::vector<std::unique_ptr<Driver>> drivers_;
};

}   // namespace skerry
