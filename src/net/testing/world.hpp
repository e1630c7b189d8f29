// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <gtest/gtest.h>

#include "runtime/core.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::net::testing {

// A core on the real clock and the coroutines of one test. run() lasts until they have ended; a test that hangs fails.
struct RealWorld {
  SystemClock clock;
  Core core{CoreId{0}, clock, 1};
  TaskScope tasks{core};

  void run(Task<> task) {
    tasks.spawn(std::move(task));
    run_until([this] { return tasks.size() == 0; });
  }
  template <class Condition>
  void run_until(Condition condition) {
    const TimePoint give_up = clock.now() + 60s;
    while (!condition()) {
      ASSERT_LT(clock.now(), give_up) << "the test hangs";
      if (!core.run_turn()) core.wait(core.now() + 10ms);
    }
  }
};

// The same with time that passes only when told, or when nothing else can happen.
struct ManualWorld {
  ManualClock clock;
  Core core{CoreId{0}, clock, 1};
  TaskScope tasks{core};

  void settle() {   // all that can happen now
    while (core.run_turn()) {}
  }
  void advance(Duration by) {   // through every timer on the way
    const TimePoint until = clock.now() + by;
    settle();
    while (const auto next = core.next_timer()) {
      if (*next > until) break;
      if (*next > clock.now()) clock.advance(*next - clock.now());
      settle();
    }
    if (until > clock.now()) clock.advance(until - clock.now());
    settle();
  }
  void run(Task<> task) {   // until the tasks have ended, jumping to the next timer whenever nothing else can happen
    tasks.spawn(std::move(task));
    settle();
    while (tasks.size() > 0) {
      const auto next = core.next_timer();
      ASSERT_TRUE(next) << "the test hangs";
      if (*next > clock.now()) clock.advance(*next - clock.now());
      settle();
    }
  }
};

}  // namespace skerry::net::testing
