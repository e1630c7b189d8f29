// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "runtime/core_threads.hpp"
#include "runtime/log.hpp"

namespace skerry {

// Watches the loops from a thread of its own: a turn that lasts longer than the limit is logged with a backtrace of where its
// core is just then, at most five times a minute for the process (CoreThreads counts them all). The backtrace is taken in a
// handler of a real-time signal on that core's thread. Owned by App, destroyed before the CoreThreads.
class StallDetector {
 public:
  static constexpr std::size_t reports_per_minute = 5;

  StallDetector(const CoreThreads& threads, Duration limit, Logger log);
  StallDetector(const StallDetector&) = delete;
  StallDetector& operator=(const StallDetector&) = delete;
  ~StallDetector();

 private:
  void watch();
  bool look(TimePoint now);   // whether any core is at work
  void report(std::size_t core, Duration length);
  bool may_report(TimePoint now);

  const CoreThreads& threads_;
  const Duration limit_;
  Logger log_;
  std::vector<std::int64_t> reported_;   // by core: the turn that was last reported, by its beginning
  std::deque<TimePoint> reports_;   // of the last minute

  std::mutex mutex_;
  std::condition_variable ending_;
  bool end_ = false;
  std::thread watcher_;
};

}   // namespace skerry
