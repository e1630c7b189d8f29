// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <utility>

#include "base/assert.hpp"
#include "runtime/core.hpp"
#include "runtime/task_scope.hpp"

namespace skerry {

// A core whose time passes by hand, for a fuzz target: net/testing/world.hpp without a test around it.
struct FuzzWorld {
  ManualClock clock;
  Core core{CoreId{0}, clock, 1};
  TaskScope tasks{core};

  void settle() {
    while (core.run_turn()) {}
  }
  void pass(Duration time) {   // through every timer on the way
    const TimePoint until = clock.now() + time;
    settle();
    while (core.next_timer().value_or(no_deadline) <= until) wait_for_timer();
    clock.advance(until - clock.now());
    settle();
  }
  void run(Task<> task) {
    tasks.spawn(std::move(task));
    settle();
    while (tasks.size() > 0) wait_for_timer();
  }

 private:
  void wait_for_timer() {
    const auto next = core.next_timer();
    SKERRY_ASSERT(next.has_value());   // it waits for something that never comes
    if (*next > clock.now()) clock.advance(*next - clock.now());
    settle();
  }
};

}   // namespace skerry
