// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>

#include "runtime/clock.hpp"

namespace skerry::store {

// How fast a helper thread does long work that nobody waits for yet: in short turns with pauses of the same length, so that a
// core that has to share its processor with the thread hardly feels it.
class WritingPace {
 public:
  // Somebody waits for it now: no more pauses. Any thread.
  void hurry() {
    if (hurried_.exchange(true)) return;
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }
  // The worker's, after each piece of its work.
  void worked(std::size_t bytes) {
    bytes_ += bytes;
    if (bytes_ < look_bytes || hurried_) return;
    bytes_ = 0;
    if (clock_.now() - begun_ < turn) return;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, turn, [this] { return hurried_.load(); });
    begun_ = clock_.now();
  }

 private:
  static constexpr Duration turn = 200us;
  static constexpr std::size_t look_bytes = 16 << 10;   // some tens of microseconds
  const SystemClock clock_;   // of the machine: it is about its processors
  std::atomic<bool> hurried_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t bytes_ = 0;
  TimePoint begun_ = clock_.now();
};

}   // namespace skerry::store
