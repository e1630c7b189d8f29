// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "runtime/core.hpp"
#include "runtime/event.hpp"

namespace skerry::client {

// Notifies a signal at a point in time, so that a loop around Signal::wait() also sees its deadline. On one core; the signal
// outlives it.
class Alarm final : public Timer {
 public:
  Alarm(Core& core, Signal& signal, TimePoint at) : signal_(signal) {
    if (at != no_deadline) core.timers().arm(*this, at);
  }

 private:
  void on_due() override { signal_.notify_all(); }
  Signal& signal_;
};

}  // namespace skerry::client
