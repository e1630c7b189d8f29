// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>

#include "base/time.hpp"

namespace skerry {

// Something to be told at a point in time. Owned by whoever waits; leaves its Timers when destroyed.
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  virtual ~Timer() { cancel(); }
  void cancel();
  bool armed() const { return timers_ != nullptr; }

 protected:
  virtual void on_due() = 0;   // runs on the core's loop; may arm again or destroy the timer

 private:
  friend class Timers;
  class Timers* timers_ = nullptr;
  std::multimap<TimePoint, Timer*>::iterator position_;
};

// All timers of one core, pure: told what time it is, it says who is due. Must outlive the timers armed in it.
class Timers {
 public:
  ~Timers();
  void arm(Timer& timer, TimePoint at);       // arming again moves it
  std::optional<TimePoint> next() const;      // when run() next has something to do
  std::size_t run(TimePoint now);             // tells all that are due, in order of time; returns how many

 private:
  friend class Timer;
  std::multimap<TimePoint, Timer*> queue_;
};

}  // namespace skerry
