// SPDX-License-Identifier: Apache-2.0
#include "runtime/core.hpp"

#include <gtest/gtest.h>

#include "runtime/event.hpp"
#include "runtime/task_scope.hpp"

namespace skerry {
namespace {

struct CoreWorld {
  ManualClock clock;
  Core core{CoreId{0}, clock, 1};
  TaskScope tasks{core};
  void run() {
    while (core.run_turn()) {}
  }
};

Task<> note_after_sleep(Core& core, Duration length, std::string name, std::vector<std::string>& notes) {
  co_await core.sleep_for(length);
  notes.push_back(std::move(name));
}

TEST(Core, sleepers_wake_in_order_of_time) {
  CoreWorld world;
  std::vector<std::string> notes;
  world.tasks.spawn(note_after_sleep(world.core, 2s, "late", notes));
  world.tasks.spawn(note_after_sleep(world.core, 1s, "early", notes));
  world.run();
  EXPECT_TRUE(notes.empty());
  world.clock.advance(3s);
  world.run();
  EXPECT_EQ(notes, (std::vector<std::string>{"early", "late"}));
}

Task<> stop(TaskScope& tasks, bool& stopped) {
  co_await tasks.cancel_and_join();
  stopped = true;
}

TEST(TaskScope, cancel_ends_sleeping_tasks_and_joins_them) {
  CoreWorld world;
  std::vector<std::string> notes;
  world.tasks.spawn(note_after_sleep(world.core, 1h, "never", notes));
  world.run();
  TaskScope outer{world.core};
  bool stopped = false;
  outer.spawn(stop(world.tasks, stopped));
  world.run();
  EXPECT_TRUE(stopped);
  EXPECT_EQ(world.tasks.size(), 0U);
  EXPECT_TRUE(notes.empty());
}

struct Guard {
  int& count;
  explicit Guard(int& c) : count(++c) {}
  ~Guard() { --count; }
};

Task<> hold(Event& event, int& held) {
  const Guard guard(held);
  co_await event.wait();
}

TEST(Core, drop_frames_destroys_suspended_coroutines_without_running_them) {
  CoreWorld world;
  Event event{world.core};
  int held = 0;
  for (int i = 0; i < 3; ++i) world.tasks.spawn(hold(event, held));
  world.run();
  EXPECT_EQ(held, 3);
  world.core.drop_frames();
  EXPECT_EQ(held, 0);
}

struct CountingHook : TurnHook {
  int count = 0;
  void on_turn_end() override { ++count; }
};

TEST(Core, a_turn_hook_runs_once_a_turn_however_often_it_was_asked_for) {
  CoreWorld world;
  CountingHook hook;
  world.core.at_turn_end(hook);
  world.core.at_turn_end(hook);
  world.run();
  EXPECT_EQ(hook.count, 1);
}

}  // namespace
}  // namespace skerry
