// SPDX-License-Identifier: Apache-2.0
#include "runtime/join.hpp"

#include <gtest/gtest.h>

#include "runtime/event.hpp"
#include "runtime/queue.hpp"
#include "runtime/semaphore.hpp"
#include "runtime/task_scope.hpp"

namespace skerry {
namespace {

struct JoinWorld {
  ManualClock clock;
  Core core{CoreId{0}, clock, 1};
  TaskScope tasks{core}, other{core};
  void run() {
    while (core.run_turn()) {}
  }
  void advance(Duration by) {
    clock.advance(by);
    run();
  }
  void cancel() {
    other.spawn(tasks.cancel_and_join());
    run();
    EXPECT_EQ(tasks.size(), 0U);
  }
};

Task<Result<int>> answer_after(Core& core, Duration length, int& ended) {
  struct Guard {
    int& count;
    ~Guard() { ++count; }
  } guard{ended};
  co_await core.sleep_for(length);
  co_return 42;
}
Task<> keep(Task<Result<int>> task, std::optional<Result<int>>& into) { into.emplace(co_await std::move(task)); }

TEST(WithDeadline, gives_the_answer_that_comes_in_time) {
  JoinWorld world;
  int ended = 0;
  std::optional<Result<int>> outcome;
  world.tasks.spawn(keep(with_deadline(world.core, answer_after(world.core, 1s, ended), world.core.now() + 2s), outcome));
  world.run();
  world.advance(1s);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->value(), 42);
}

TEST(WithDeadline, cancels_what_takes_longer) {
  JoinWorld world;
  int ended = 0;
  std::optional<Result<int>> outcome;
  world.tasks.spawn(keep(with_deadline(world.core, answer_after(world.core, 3s, ended), world.core.now() + 2s), outcome));
  world.run();
  world.advance(2s);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->error(), Errc::deadline_exceeded);
  EXPECT_EQ(ended, 1);
}

TEST(WithDeadline, a_deadline_that_has_passed_starts_nothing) {
  JoinWorld world;
  int ended = 0;
  std::optional<Result<int>> outcome;
  world.tasks.spawn(keep(with_deadline(world.core, answer_after(world.core, 3s, ended), world.core.now()), outcome));
  world.run();
  EXPECT_EQ(outcome->error(), Errc::deadline_exceeded);
  EXPECT_EQ(ended, 0);
}

TEST(WithDeadline, without_a_deadline_just_waits) {
  JoinWorld world;
  int ended = 0;
  std::optional<Result<int>> outcome;
  world.tasks.spawn(keep(with_deadline(world.core, answer_after(world.core, 3s, ended), no_deadline), outcome));
  world.run();
  world.advance(3s);
  EXPECT_EQ(outcome->value(), 42);
}

TEST(WithDeadline, cancelling_the_caller_reaches_the_work) {
  JoinWorld world;
  int ended = 0;
  std::optional<Result<int>> outcome;
  world.tasks.spawn(keep(with_deadline(world.core, answer_after(world.core, 3s, ended), world.core.now() + 2s), outcome));
  world.run();
  world.cancel();
  EXPECT_EQ(ended, 1);
  EXPECT_FALSE(outcome);
}

TEST(WithDeadline, frames_that_are_dropped_leave_nothing) {
  JoinWorld world;
  int ended = 0;
  std::optional<Result<int>> outcome;
  world.tasks.spawn(keep(with_deadline(world.core, answer_after(world.core, 3s, ended), world.core.now() + 2s), outcome));
  world.run();
  world.core.drop_frames();
  EXPECT_EQ(ended, 1);
}

Task<> sleep_then(Core& core, Duration length, std::string& notes, char note) {
  co_await core.sleep_for(length);
  notes += note;
}
Task<> fail_after(Core& core, Duration length) {
  co_await core.sleep_for(length);
  throw std::logic_error("failed");
}
Task<> all_of(Core& core, std::string& notes, bool with_failure) {
  std::vector<Task<>> tasks;
  tasks.push_back(sleep_then(core, 2s, notes, 'b'));
  tasks.push_back(sleep_then(core, 1s, notes, 'a'));
  if (with_failure) tasks.push_back(fail_after(core, 500ms));
  try {
    co_await run_all(core, std::move(tasks));
  } catch (const std::logic_error&) {
    notes += '!';
  }
  notes += '.';
}

TEST(RunAll, waits_for_all_and_then_tells_of_a_failure) {
  for (const bool with_failure : {false, true}) {
    JoinWorld world;
    std::string notes;
    world.tasks.spawn(all_of(world.core, notes, with_failure));
    world.run();
    world.advance(1s);
    EXPECT_EQ(notes, "a");
    world.advance(1s);
    EXPECT_EQ(notes, with_failure ? "ab!." : "ab.");
  }
}

TEST(RunAll, cancelling_the_caller_cancels_all) {
  JoinWorld world;
  std::string notes;
  world.tasks.spawn(all_of(world.core, notes, false));
  world.run();
  world.cancel();
  EXPECT_EQ(notes, "");
  EXPECT_FALSE(world.core.next_timer());
}

// Notes when it is left, however that comes.
Task<> attend(Core& core, Duration length, std::string& notes, char note) {
  struct Guard {
    std::string& into;
    char what;
    ~Guard() { into += what; }
  } guard{notes, note};
  co_await core.sleep_for(length);
}
Task<> beside(Core& core, Task<> main, Task<> helper, std::string& notes) {
  try {
    co_await run_beside(core, std::move(main), std::move(helper));
  } catch (const std::logic_error&) {
    notes += '!';
  }
  notes += '.';
}

TEST(RunBeside, the_end_of_the_main_task_ends_the_helper) {
  JoinWorld world;
  std::string notes;
  world.tasks.spawn(beside(world.core, attend(world.core, 1s, notes, 'm'), attend(world.core, 1h, notes, 'h'), notes));
  world.run();
  EXPECT_EQ(notes, "");
  world.advance(1s);
  EXPECT_EQ(notes, "mh.");
  EXPECT_FALSE(world.core.next_timer());
}

TEST(RunBeside, a_helper_that_ends_first_leaves_the_main_task_running) {
  JoinWorld world;
  std::string notes;
  world.tasks.spawn(beside(world.core, attend(world.core, 2s, notes, 'm'), attend(world.core, 1s, notes, 'h'), notes));
  world.run();
  world.advance(1s);
  EXPECT_EQ(notes, "h");
  world.advance(1s);
  EXPECT_EQ(notes, "hm.");
}

TEST(RunBeside, an_exception_of_either_comes_through_once_both_have_ended) {
  for (const bool of_main : {false, true}) {
    JoinWorld world;
    std::string notes;
    Task<> failing = fail_after(world.core, 1s), lasting = attend(world.core, 2s, notes, 'l');
    world.tasks.spawn(of_main ? beside(world.core, std::move(failing), std::move(lasting), notes)
                              : beside(world.core, std::move(lasting), std::move(failing), notes));
    world.run();
    world.advance(1s);
    EXPECT_EQ(notes, of_main ? "l!." : "");   // the main task goes on without its helper
    world.advance(1s);
    EXPECT_EQ(notes, "l!.");
  }
}

TEST(RunBeside, cancelling_the_caller_cancels_both) {
  JoinWorld world;
  std::string notes;
  world.tasks.spawn(beside(world.core, attend(world.core, 1h, notes, 'm'), attend(world.core, 1h, notes, 'h'), notes));
  world.run();
  world.cancel();
  EXPECT_EQ(notes, "mh");
  EXPECT_FALSE(world.core.next_timer());
}

Task<> hold(Semaphore& semaphore, std::size_t count, std::string& notes, char note, Event& release) {
  auto units = co_await semaphore.acquire(count);
  if (!units) {
    notes += '!';
    co_return;
  }
  notes += note;
  co_await release.wait();
}

TEST(Semaphore, gives_units_in_order_of_asking) {
  JoinWorld world;
  Semaphore semaphore(world.core, 3);
  Event first{world.core}, others{world.core};
  std::string notes;
  world.tasks.spawn(hold(semaphore, 2, notes, 'a', first));
  world.tasks.spawn(hold(semaphore, 3, notes, 'b', others));
  world.tasks.spawn(hold(semaphore, 1, notes, 'c', others));   // would fit, but comes after b
  world.run();
  EXPECT_EQ(notes, "a");
  EXPECT_EQ(semaphore.try_acquire().count(), 0U);
  first.set();
  world.run();
  EXPECT_EQ(notes, "ab");
  others.set();
  world.run();
  EXPECT_EQ(notes, "abc");
  EXPECT_EQ(semaphore.available(), 3U);
}

TEST(Semaphore, one_that_is_cancelled_makes_way_for_those_behind) {
  JoinWorld world;
  Semaphore semaphore(world.core, 3);
  Event release{world.core};
  std::string notes;
  TaskScope doomed{world.core};
  world.tasks.spawn(hold(semaphore, 2, notes, 'a', release));
  world.run();
  doomed.spawn(hold(semaphore, 3, notes, 'b', release));
  world.run();
  world.tasks.spawn(hold(semaphore, 1, notes, 'c', release));
  world.run();
  EXPECT_EQ(notes, "a");
  world.other.spawn(doomed.cancel_and_join());
  world.run();
  EXPECT_EQ(notes, "ac");
  world.cancel();
  EXPECT_EQ(semaphore.available(), 3U);
}

TEST(Semaphore, one_that_is_cancelled_and_granted_at_once_gives_back_what_it_was_granted) {
  JoinWorld world;
  Semaphore semaphore(world.core, 1);
  Event release{world.core};
  std::string notes;
  TaskScope doomed{world.core};
  auto units = semaphore.try_acquire();
  doomed.spawn(hold(semaphore, 1, notes, 'a', release));
  world.run();
  world.other.spawn(doomed.cancel_and_join());
  while (semaphore.waiting() > 0 && world.core.run_turn(1)) units.release();
  world.run();
  EXPECT_EQ(notes, "");
  EXPECT_EQ(semaphore.available(), 1U);
}

TEST(Semaphore, more_than_all_counts_as_all) {
  JoinWorld world;
  Semaphore semaphore(world.core, 3);
  EXPECT_EQ(semaphore.try_acquire(100).count(), 3U);
  EXPECT_EQ(semaphore.available(), 3U);
}

TEST(Semaphore, close_ends_all_waits) {
  JoinWorld world;
  Semaphore semaphore(world.core, 1);
  Event release{world.core};
  std::string notes;
  world.tasks.spawn(hold(semaphore, 1, notes, 'a', release));
  world.tasks.spawn(hold(semaphore, 1, notes, 'b', release));
  world.run();
  semaphore.close();
  world.run();
  EXPECT_EQ(notes, "a!");
  release.set();
  world.run();
  EXPECT_EQ(semaphore.available(), 1U);
  EXPECT_EQ(semaphore.try_acquire().count(), 0U);
}

Task<> produce(Queue<int>& queue, int first, int count) {
  for (int i = first; i < first + count; ++i) {
    if (!co_await queue.push(i)) co_return;
  }
}
Task<> consume(Queue<int>& queue, std::vector<int>& into) {
  while (auto item = co_await queue.pop()) into.push_back(*item);
  into.push_back(-1);
}

TEST(Queue, holds_no_more_than_its_capacity_and_keeps_order) {
  JoinWorld world;
  Queue<int> queue(world.core, 3);
  std::vector<int> taken;
  world.tasks.spawn(produce(queue, 0, 10));
  world.run();
  EXPECT_EQ(queue.size(), 3U);
  int more = 99;
  EXPECT_FALSE(queue.try_push(more));
  world.tasks.spawn(consume(queue, taken));
  world.run();
  EXPECT_EQ(taken, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  queue.close();
  world.run();
  EXPECT_EQ(taken.back(), -1);
  EXPECT_EQ(world.tasks.size(), 0U);
}

TEST(Queue, what_is_in_it_when_it_closes_can_still_be_taken) {
  JoinWorld world;
  Queue<int> queue(world.core, 2);
  std::vector<int> taken;
  world.tasks.spawn(produce(queue, 0, 5));
  world.run();
  queue.close();
  world.tasks.spawn(consume(queue, taken));
  world.run();
  EXPECT_EQ(taken, (std::vector<int>{0, 1, -1}));
  EXPECT_EQ(world.tasks.size(), 0U);
}

Task<> cancel_scope(TaskScope& tasks, std::string& notes, Core& core) {
  co_await tasks.cancel_and_join();
  notes += 'j';
  co_await core.yield();   // cancelled meanwhile: throws here
  notes += 'x';
}
Task<> end_slowly(Core& core, std::string& notes) {
  co_await asio::this_coro::throw_if_cancelled(false);
  try {
    co_await core.sleep_for(1h);
  } catch (const boost::system::system_error&) {}
  co_await core.sleep_for(1s);
  notes += 'e';
}

TEST(TaskScope, a_caller_that_is_cancelled_while_it_joins_hears_of_it_afterwards) {
  JoinWorld world;
  TaskScope joined{world.core};
  std::string notes;
  joined.spawn(end_slowly(world.core, notes));
  world.run();
  world.tasks.spawn(cancel_scope(joined, notes, world.core));
  world.run();
  world.other.spawn(world.tasks.cancel_and_join());
  world.run();
  EXPECT_EQ(notes, "");
  world.advance(1s);
  EXPECT_EQ(notes, "ej");
  EXPECT_EQ(world.tasks.size(), 0U);
}

TEST(TaskScope, a_task_cancelled_before_it_began_never_runs_and_leaves_nothing) {
  JoinWorld world;
  std::string notes;
  world.tasks.cancel(*world.tasks.spawn_with_handle(sleep_then(world.core, 0s, notes, 'x')));
  world.run();
  EXPECT_EQ(notes, "");
  EXPECT_EQ(world.tasks.size(), 0U);
}

TEST(TaskScope, that_is_destroyed_unjoined_drops_tasks_that_have_not_begun) {
  JoinWorld world;
  std::string notes;
  {
    TaskScope brief{world.core};
    brief.spawn(sleep_then(world.core, 0s, notes, 'x'));
    brief.spawn(sleep_then(world.core, 0s, notes, 'y'));
  }
  world.tasks.spawn(sleep_then(world.core, 0s, notes, 'z'));
  world.run();
  EXPECT_EQ(notes, "z");
}

Task<> wait_twice(Event& event, int& woken) {
  co_await event.wait();
  ++woken;
  event.reset();
  co_await event.wait();
  ++woken;
}

TEST(TaskScope, cancel_between_wake_and_resume_lets_the_wake_count_and_throws_at_the_next_await) {
  JoinWorld world;
  Event event{world.core};
  int woken = 0;
  world.tasks.spawn(wait_twice(event, woken));
  world.run();
  event.set();     // the coroutine is on its way
  world.cancel();
  EXPECT_EQ(woken, 1);
}

}  // namespace
}  // namespace skerry
