// SPDX-License-Identifier: Apache-2.0
#include "runtime/cores.hpp"

#include <gtest/gtest.h>

#include "runtime/core_threads.hpp"
#include "runtime/event.hpp"
#include "runtime/sharded.hpp"
#include "runtime/task_scope.hpp"

namespace skerry {
namespace {

constexpr CoreId core0{0}, core1{1};

// Two cores in one thread, as the simulator drives them.
struct CoresWorld {
  ManualClock clock;
  Cores cores{2, clock, 1};
  TaskScope tasks{cores.core(core0)}, tasks1{cores.core(core1)};

  void run() {
    while (cores.core(core0).run_turn() || cores.core(core1).run_turn()) {}
  }
  void run(Task<> task) {
    tasks.spawn(std::move(task));
    run();
    EXPECT_EQ(tasks.size(), 0U) << "it hangs";
  }
};

// Its life is counted, and where it ends: by the core whose turn it is.
struct Tracked {
  explicit Tracked(int* live) : count(live) { ++*count; }
  Tracked(Tracked&& other) noexcept : count(std::exchange(other.count, nullptr)) {}
  Tracked& operator=(Tracked&&) = delete;
  ~Tracked() {
    if (count != nullptr) --*count;
  }
  int* count;
};

int twice(int number) { return 2 * number; }
Task<CoreId> core_of_caller(Core* core) {
  co_await core->yield();
  co_return Core::of(co_await asio::this_coro::executor).id();
}
std::string refuse(std::string text) { throw std::runtime_error("refused " + text); }
Task<int> wait_for(Event* event, int* held) {
  const Tracked guard(held);
  co_await event->wait();
  co_return 1;
}

Task<> call_all_kinds(CoresWorld& world, int& calls) {
  for (const CoreId owner : {core0, core1}) {
    EXPECT_EQ(co_await world.cores.call(owner, &twice, 21), 42);
    EXPECT_EQ(co_await world.cores.call(owner, &core_of_caller, &world.cores.core(owner)), owner);
    EXPECT_EQ(co_await world.cores.call(owner, [](std::string text) { return text + "!"; }, std::string("hi")), "hi!");
    EXPECT_EQ(*co_await world.cores.call(owner, [](std::unique_ptr<int> number) { return number; }, std::make_unique<int>(7)), 7);
    co_await world.cores.call(owner, [](int* count) { ++*count; }, &calls);
    std::string caught;
    try {
      co_await world.cores.call(owner, &refuse, std::string("it"));
    } catch (const std::runtime_error& error) {
      caught = error.what();
    }
    EXPECT_EQ(caught, "refused it");
  }
}

TEST(Cores, calls_bring_back_values_and_exceptions_from_any_core) {
  CoresWorld world;
  int calls = 0;
  world.run(call_all_kinds(world, calls));
  EXPECT_EQ(calls, 2);
}

Task<> call_and_wait(CoresWorld& world, Event& event, int& held, int& outcome) {
  outcome = co_await world.cores.call(core1, &wait_for, &event, &held);
}

TEST(Cores, cancelling_the_caller_cancels_the_work) {
  CoresWorld world;
  Event never{world.cores.core(core1)};
  int held = 0, outcome = 0;
  world.tasks.spawn(call_and_wait(world, never, held, outcome));
  world.run();
  EXPECT_EQ(held, 1);
  world.tasks1.spawn(world.tasks.cancel_and_join());
  world.run();
  EXPECT_EQ(held, 0);
  EXPECT_EQ(outcome, 0);
  EXPECT_EQ(world.tasks.size(), 0U);
}

Tracked make_tracked(int* live) { return Tracked(live); }
Task<> call_and_drop(CoresWorld& world, int& live) { co_await world.cores.call(core1, &make_tracked, &live); }

TEST(Cores, a_result_whose_caller_has_gone_comes_home_and_is_freed_there) {
  CoresWorld world;
  Core &home = world.cores.core(core0), &owner = world.cores.core(core1);
  int live = 0;
  world.tasks.spawn(call_and_drop(world, live));
  home.run_turn();    // the call is on its way
  world.tasks1.spawn(world.tasks.cancel_and_join());
  owner.run_turn();   // made there, cancelled there
  EXPECT_EQ(live, 1);
  while (owner.run_turn()) {}
  EXPECT_EQ(live, 1);
  home.run_turn();
  world.run();
  EXPECT_EQ(live, 0);
}

void append(std::vector<int>* into, int number) { into->push_back(number); }
Task<> append_later(Core* core, std::vector<int>* into, int number) {
  co_await core->yield();
  into->push_back(number);
}
Task<> post_many(CoresWorld& world, std::vector<int>& into, int count) {
  for (int i = 0; i < count; ++i) co_await world.cores.post(core1, &append, &into, i);
}

TEST(Cores, posts_arrive_in_order_and_wait_when_the_other_core_is_behind) {
  CoresWorld world;
  std::vector<int> into;
  constexpr int count = 3 * static_cast<int>(MailRing::capacity);
  world.tasks.spawn(post_many(world, into, count));
  while (world.cores.core(core0).run_turn()) {}
  EXPECT_EQ(world.cores.mailboxes().depth(core0, core1), MailRing::capacity);
  EXPECT_EQ(world.tasks.size(), 1U);
  world.run();
  ASSERT_EQ(into.size(), static_cast<std::size_t>(count));
  EXPECT_TRUE(std::ranges::is_sorted(into));
}

TEST(Cores, answers_never_wait_even_when_the_ring_is_full) {
  CoresWorld world;
  std::vector<int> into;
  Core& home = world.cores.core(core0);
  constexpr int count = 2 * static_cast<int>(MailRing::capacity);
  for (int i = 0; i < count; ++i) world.cores.post_now(home, core1, &append_later, &world.cores.core(core1), &into, i);
  EXPECT_EQ(world.cores.mailboxes().depth(core0, core1), MailRing::capacity);
  world.run();
  EXPECT_EQ(into.size(), static_cast<std::size_t>(count));
}

TEST(Cores, a_call_after_the_end_of_calls_is_cancelled_and_running_ones_end) {
  CoresWorld world;
  Event never{world.cores.core(core1)};
  int held = 0, outcome = 0;
  world.tasks.spawn(call_and_wait(world, never, held, outcome));
  world.run();
  EXPECT_EQ(held, 1);
  world.tasks.spawn(world.cores.end_calls());
  world.run();
  EXPECT_EQ(held, 0);
  world.tasks.spawn(call_and_wait(world, never, held, outcome));
  world.run();
  EXPECT_EQ(world.tasks.size(), 0U);
  EXPECT_EQ(outcome, 0);
}

TEST(Cores, a_crash_drops_calls_in_flight_without_leaving_anything) {
  int held = 0, outcome = 0;
  {
    CoresWorld world;
    Event never{world.cores.core(core1)};
    world.tasks.spawn(call_and_wait(world, never, held, outcome));
    world.run();
    world.tasks.spawn(call_and_wait(world, never, held, outcome));
    world.cores.core(core0).run_turn();   // still in the ring
    EXPECT_EQ(held, 1);
    for (const auto& core : world.cores.all()) core->drop_frames();
    EXPECT_EQ(held, 0);
  }
  EXPECT_EQ(outcome, 0);
}

TEST(ForeignPtr, frees_its_object_on_its_home_core_wherever_it_ends) {
  CoresWorld world;
  int live = 0;
  {
    ForeignPtr<Tracked> pointer(world.cores.core(core1), std::make_unique<Tracked>(&live));
    EXPECT_EQ(pointer.home(), core1);
    ForeignPtr<Tracked> moved = std::move(pointer);
    EXPECT_TRUE(moved);
  }
  while (world.cores.core(core0).run_turn()) {}
  EXPECT_EQ(live, 1);
  while (world.cores.core(core1).run_turn()) {}
  EXPECT_EQ(live, 0);
}

// The same over threads.
struct Threaded {
  explicit Threaded(std::size_t count, Duration busy_wait = Duration::zero())
      : cores(count, clock, 1), threads(cores, {.placement = {.count = count, .processors = {}}, .busy_wait = busy_wait}) {
    EXPECT_TRUE(threads.start());
  }
  // Runs a task on core 0 to its end.
  void run(Task<> task) {
    std::atomic<bool> over = false;
    TaskScope scope(cores.core(core0));
    cores.core(core0).post_from_outside([&, task = std::move(task)]() mutable { scope.spawn(then_tell(std::move(task), over)); });
    over.wait(false);
    threads.stop();
  }
  static Task<> then_tell(Task<> task, std::atomic<bool>& over) {
    co_await std::move(task);
    over = true;
    over.notify_one();
  }
  SystemClock clock;
  Cores cores;
  CoreThreads threads;
};

Task<> call_often(Cores& cores, int callers, int calls, std::int64_t& sum) {
  static constexpr auto one = [](Cores* all, int count, std::int64_t* into) -> Task<> {
    for (int i = 0; i < count; ++i) *into += co_await all->call(core1, &twice, i);
  };
  std::vector<Task<>> tasks;
  for (int i = 0; i < callers; ++i) tasks.push_back(one(&cores, calls, &sum));
  co_await run_all(cores.core(core0), std::move(tasks));
}

TEST(CoreThreads, calls_between_threads_lose_nothing) {
  for (const Duration busy_wait : {Duration::zero(), Duration(50us)}) {
    Threaded world(2, busy_wait);
    std::int64_t sum = 0;
    constexpr int callers = 50, calls = 400;
    world.run(call_often(world.cores, callers, calls, sum));
    EXPECT_EQ(sum, std::int64_t{callers} * calls * (calls - 1));
    EXPECT_GT(world.threads.figures(core1).turns.load(), 0U);
  }
}

Task<> post_across(Cores& cores, std::atomic<int>& arrived, int count) {
  static constexpr auto count_up = [](std::atomic<int>* into) { into->fetch_add(1); };
  for (int i = 0; i < count; ++i) co_await cores.post(core1, count_up, &arrived);
  while (arrived.load() < count) co_await cores.core(core0).sleep_for(1ms);
}

TEST(CoreThreads, a_sender_that_is_faster_than_its_receiver_is_held_back_and_woken) {
  Threaded world(2);
  std::atomic<int> arrived = 0;
  constexpr int count = 20 * static_cast<int>(MailRing::capacity);
  world.run(post_across(world.cores, arrived, count));
  EXPECT_EQ(arrived.load(), count);
}

void throw_in_loop() {
  Threaded world(1);
  world.cores.core(core0).post_from_outside([] { throw std::runtime_error("a bug of ours"); });
  for (;;) std::this_thread::sleep_for(1ms);
}

TEST(CoreThreadsDeathTest, an_exception_that_leaves_a_loop_ends_the_process_and_is_told) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(throw_in_loop(), "core 0: an exception left the loop: a bug of ours");
}

TEST(CorePlacement, spares_the_processors_that_no_core_runs_on) {
  const auto all = CorePlacement::parse("")->processors;
  ASSERT_FALSE(all.empty());
  EXPECT_TRUE(CorePlacement::parse("")->spare().empty());
  EXPECT_EQ(CorePlacement::parse("1")->spare(), std::vector<unsigned>(all.begin() + 1, all.end()));
  EXPECT_TRUE(CorePlacement::parse("1", false)->spare().empty());
}

TEST(CorePlacement, takes_counts_and_lists_and_says_what_is_wrong) {
  EXPECT_EQ(CorePlacement::parse("1")->count, 1U);
  EXPECT_TRUE(CorePlacement::parse("2", false)->processors.empty());
  EXPECT_GE(CorePlacement::parse("")->count, 1U);
  EXPECT_TRUE(CorePlacement::parse("256")->processors.empty());   // more than there are: not pinned
  for (const auto* bad : {"0", "257", "x", "1,", "3-1", "0,0", "0-400", "-1", "99999999999", "9999,9998"}) {
    const auto result = CorePlacement::parse(bad);
    ASSERT_FALSE(result) << bad;
    EXPECT_TRUE(result.error().message().starts_with("cores: ")) << bad;
  }
}

}  // namespace
}  // namespace skerry
