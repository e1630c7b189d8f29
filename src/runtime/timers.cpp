// SPDX-License-Identifier: Apache-2.0
#include "runtime/timers.hpp"

namespace skerry {

void Timer::cancel() {
  if (timers_ == nullptr) return;
  timers_->queue_.erase(position_);
  timers_ = nullptr;
}

Timers::~Timers() {
  for (auto& [at, timer] : queue_) timer->timers_ = nullptr;
}

void Timers::arm(Timer& timer, TimePoint at) {
  timer.cancel();
  timer.position_ = queue_.emplace(at, &timer);
  timer.timers_ = this;
}

std::optional<TimePoint> Timers::next() const {
  return queue_.empty() ? std::nullopt : std::optional(queue_.begin()->first);
}

std::size_t Timers::run(TimePoint now) {
  std::size_t count = 0;
  while (!queue_.empty() && queue_.begin()->first <= now) {
    Timer* timer = queue_.begin()->second;
    timer->cancel();
    timer->on_due();
    ++count;
  }
  return count;
}

}  // namespace skerry
