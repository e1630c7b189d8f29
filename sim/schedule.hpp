// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <queue>
#include <tuple>
#include <vector>

#include "base/time.hpp"

namespace skerry::sim {

// What will happen, by true time, which no node of the simulation sees. Of two things at one time the one that was planned first
// is first.
class Schedule {
 public:
  TimePoint now() const { return now_; }
  void at(TimePoint when, std::function<void()> what) { events_.push({std::max(when, now_), ++planned_, std::move(what)}); }
  void after(Duration length, std::function<void()> what) { at(now_ + length, std::move(what)); }
  void pass_to(TimePoint when) { now_ = when; }   // nothing is planned before
  // False when nothing is planned until then.
  bool step(TimePoint until) {
    if (events_.empty() || events_.top().when > until) return false;
    Event next = std::move(const_cast<Event&>(events_.top()));   // it is popped at once
    events_.pop();
    now_ = next.when;
    next.what();
    return true;
  }

 private:
  struct Event {
    TimePoint when;
    std::uint64_t number;
    std::function<void()> what;
    bool operator<(const Event& other) const { return std::tie(when, number) > std::tie(other.when, other.number); }
  };
  TimePoint now_{};
  std::uint64_t planned_ = 0;
  std::priority_queue<Event> events_;
};

}   // namespace skerry::sim
