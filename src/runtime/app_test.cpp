// SPDX-License-Identifier: Apache-2.0
#include "runtime/app.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <future>

#include "runtime/task_scope.hpp"

namespace skerry {
namespace {

// What the applets of a test did, from all cores.
class Diary {
 public:
  void note(std::string line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
  }
  std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

struct AppWorld {
  explicit AppWorld(std::size_t cores, Duration patience = 10s) : app(options(cores, patience), clock, log) {}
  static AppOptions options(std::size_t cores, Duration patience) {
    AppOptions options;
    options.patience = patience;
    options.placement = *CorePlacement::parse(std::to_string(cores), false);
    return options;
  }
  // By what the log said.
  bool logged(std::string_view part) const {
    return std::ranges::any_of(logged_lines.lines(),
                               [part](const std::string& line) { return line.find(part) != std::string::npos; });
  }

  SystemClock clock;
  Diary diary, logged_lines;
  LogRegistry log{clock, {.background = false, .sink = [this](std::string_view line) { logged_lines.note(std::string(line)); }}};
  App app;
};

template <int Number>
class Noting {
 public:
  Noting(AppletContext& context, Diary* diary) : context_(context), diary_(*diary) {}
  ~Noting() { note("destroyed"); }
  Task<Result<>> start() {
    note("started");
    co_return Result<>();
  }
  Task<> stop() {
    note("stopped");
    co_return;
  }

 private:
  void note(std::string what) { diary_.note(fmt::format("{} {} on {}", Number, what, context_.core.id().value())); }
  AppletContext& context_;
  Diary& diary_;
};

// Ends the process once everything before it has started.
class Ender {
 public:
  Ender(AppletContext& context, App* app) : context_(context), app_(*app) {}
  Task<Result<>> start() {
    if (context_.core.id() == CoreId{0}) app_.stop();
    co_return Result<>();
  }
  Task<> stop() { co_return; }

 private:
  AppletContext& context_;
  App& app_;
};

TEST(App, starts_in_order_and_stops_in_reverse) {
  AppWorld world(1);
  world.app.add<Noting<1>>("one", &world.diary);
  world.app.add<Noting<2>>("two", &world.diary);
  world.app.add<Ender>("ender", &world.app);
  EXPECT_EQ(world.app.run(), 0);
  EXPECT_EQ(world.diary.lines(), (std::vector<std::string>{"1 started on 0", "2 started on 0", "2 stopped on 0", "1 stopped on 0",
                                                           "2 destroyed on 0", "1 destroyed on 0"}));
}

TEST(App, every_core_has_an_instance_and_no_applet_starts_before_the_one_before_it_runs_everywhere) {
  AppWorld world(2);
  world.app.add<Noting<1>>("one", &world.diary);
  world.app.add<Noting<2>>("two", &world.diary);
  world.app.add<Ender>("ender", &world.app);
  EXPECT_EQ(world.app.run(), 0);
  auto lines = world.diary.lines();
  ASSERT_EQ(lines.size(), 12U);
  for (auto pair = lines.begin(); pair != lines.end(); pair += 2) std::sort(pair, pair + 2);   // cores start at the same time
  EXPECT_EQ(lines, (std::vector<std::string>{"1 started on 0", "1 started on 1", "2 started on 0", "2 started on 1",
                                             "2 stopped on 0", "2 stopped on 1", "1 stopped on 0", "1 stopped on 1",
                                             "2 destroyed on 0", "2 destroyed on 1", "1 destroyed on 0", "1 destroyed on 1"}));
}

class Failing {
 public:
  explicit Failing(AppletContext& context) : context_(context) {}
  Task<Result<>> start() {
    if (context_.core.id().value() == context_.cores().size() - 1) co_return fail(Errc::already_exists, "port 6648 is taken");
    co_return Result<>();
  }
  Task<> stop() { co_return; }

 private:
  AppletContext& context_;
};

TEST(App, a_failed_start_is_told_and_stops_what_had_started) {
  AppWorld world(2);
  world.app.add<Noting<1>>("one", &world.diary);
  world.app.add<Failing>("listener");
  world.app.add<Noting<2>>("two", &world.diary);
  EXPECT_EQ(world.app.run(), 1);
  EXPECT_TRUE(world.logged("listener could not start on core 1: port 6648 is taken"));
  const auto lines = world.diary.lines();
  EXPECT_EQ(std::ranges::count(lines, "1 stopped on 0"), 1);
  EXPECT_EQ(std::ranges::count(lines, "1 stopped on 1"), 1);
  EXPECT_EQ(std::ranges::count(lines, "2 started on 0"), 0);
  EXPECT_EQ(std::ranges::count(lines, "2 stopped on 0"), 0);
}

class Throwing {
 public:
  explicit Throwing(AppletContext&) { throw std::runtime_error("no such device"); }
  Task<Result<>> start() { co_return Result<>(); }
  Task<> stop() { co_return; }
};

TEST(App, a_constructor_that_throws_is_a_failed_start) {
  AppWorld world(1);
  world.app.add<Throwing>("device");
  EXPECT_EQ(world.app.run(), 1);
  EXPECT_TRUE(world.logged("device could not be built on core 0: no such device"));
}

class Signalling {
 public:
  Signalling(AppletContext& context, int signal) : context_(context), signal_(signal) {}
  Task<Result<>> start() {
    if (context_.core.id() == CoreId{0}) ::kill(::getpid(), signal_);
    co_return Result<>();
  }
  Task<> stop() { co_return; }

 private:
  AppletContext& context_;
  int signal_;
};

TEST(App, sigterm_and_sigint_stop_it_gracefully) {
  for (const int signal : {SIGTERM, SIGINT}) {
    AppWorld world(2);
    world.app.add<Noting<1>>("one", &world.diary);
    world.app.add<Signalling>("signal", signal);
    EXPECT_EQ(world.app.run(), 0);
    const auto lines = world.diary.lines();
    EXPECT_EQ(std::ranges::count(lines, "1 stopped on 1"), 1);
  }
}

class WaitsForHangUps {
 public:
  WaitsForHangUps(AppletContext& context, std::atomic<int>* waiting) : context_(context), waiting_(*waiting) {}
  Task<Result<>> start() {
    tasks_.spawn(wait());
    co_return Result<>();
  }
  Task<> stop() { co_await tasks_.join(); }

 private:
  Task<> wait() {
    if (++waiting_ == 2) ::kill(::getpid(), SIGHUP);
    co_await context_.wait_hang_up(0);
    if (context_.core.id() == CoreId{1}) ::kill(::getpid(), SIGTERM);
  }

  AppletContext& context_;
  std::atomic<int>& waiting_;
  TaskScope tasks_{context_.core};
};

TEST(App, sighup_wakes_those_who_wait_for_it_on_every_core_and_stops_nothing) {
  AppWorld world(2);
  std::atomic<int> waiting = 0;
  world.app.add<WaitsForHangUps>("waits", &waiting);
  EXPECT_EQ(world.app.run(), 0);
  EXPECT_TRUE(world.logged("looking at the files again"));
}

class NeverStops {
 public:
  explicit NeverStops(AppletContext& context) : context_(context) {}
  Task<Result<>> start() {
    ::kill(::getpid(), SIGINT);
    co_return Result<>();
  }
  Task<> stop() {
    ::kill(::getpid(), SIGINT);
    co_await context_.core.sleep_until(no_deadline);
  }

 private:
  AppletContext& context_;
};

int run_until_second_signal() {
  AppWorld world(1);
  world.app.add<NeverStops>("stuck");
  return world.app.run();
}

TEST(AppDeathTest, a_second_signal_ends_a_process_whose_stop_hangs) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(run_until_second_signal(), testing::ExitedWithCode(130), "");
}

class StartsForever {
 public:
  StartsForever(AppletContext& context, App* app) : context_(context), app_(*app) {}
  Task<Result<>> start() {
    app_.stop();
    co_await context_.core.sleep_until(no_deadline);
    co_return Result<>();
  }
  Task<> stop() { co_return; }

 private:
  AppletContext& context_;
  App& app_;
};

TEST(App, a_stop_during_start_cancels_the_start) {
  AppWorld world(2);
  world.app.add<Noting<1>>("one", &world.diary);
  world.app.add<StartsForever>("waits", &world.app);
  EXPECT_EQ(world.app.run(), 0);
  EXPECT_EQ(std::ranges::count(world.diary.lines(), "1 stopped on 1"), 1);
}

// Starts, and stops, once the log has told that it is waited for.
class Slow {
 public:
  Slow(AppletContext& context, AppWorld* world) : context_(context), world_(*world) {}
  Task<Result<>> start() {
    co_await until_told("start of slow");
    world_.app.stop();
    co_return Result<>();
  }
  Task<> stop() { return until_told("stop of slow"); }

 private:
  Task<> until_told(std::string what) {
    while (!world_.logged(what)) co_await context_.core.sleep_for(1ms);
  }
  AppletContext& context_;
  AppWorld& world_;
};

TEST(App, who_keeps_a_start_or_a_stop_waiting_is_named_in_the_log) {
  AppWorld world(1, 5ms);
  world.app.add<Slow>("slow", &world);
  EXPECT_EQ(world.app.run(), 0);
}

class Fatal {
 public:
  Fatal(AppletContext&, App* app) : app_(*app) {}
  Task<Result<>> start() {
    app_.fail("the disk is full");
    co_return Result<>();
  }
  Task<> stop() { co_return; }

 private:
  App& app_;
};

TEST(App, fail_stops_it_with_exit_code_1) {
  AppWorld world(1);
  world.app.add<Fatal>("disk", &world.app);
  EXPECT_EQ(world.app.run(), 1);
  EXPECT_TRUE(world.logged("the disk is full"));
}

// Applets that find each other.
class Shelf {
 public:
  explicit Shelf(AppletContext& context) : context_(context) {}
  Task<Result<>> start() { co_return Result<>(); }
  Task<> stop() { co_return; }
  int add(int amount) { return total_ += amount; }
  Task<int> add_slowly(int amount) {
    co_await context_.core.yield();
    co_return add(amount);
  }
  std::uint32_t core() const { return context_.core.id().value(); }

 private:
  AppletContext& context_;
  int total_ = 0;
};

class Visitor {
 public:
  Visitor(AppletContext& context, App* app, Diary* diary)
      : context_(context), app_(*app), diary_(*diary), shelf_(context.get<Shelf>()) {}
  Task<Result<>> start() {
    EXPECT_EQ(shelf_.core(), context_.core.id().value());
    if (context_.core.id() != CoreId{0}) co_return Result<>();
    const auto& shelves = context_.sharded<Shelf>();
    EXPECT_EQ(co_await shelves.invoke_on(CoreId{1}, &Shelf::add, 5), 5);
    EXPECT_EQ(co_await shelves.invoke_on(CoreId{1}, &Shelf::add_slowly, 5), 10);
    co_await shelves.invoke_on_all(&Shelf::add, 1);
    EXPECT_EQ(co_await shelves.map_reduce(0, std::plus<>(), &Shelf::add, 0), 12);
    EXPECT_EQ(context_.find_sharded<Noting<7>>(), nullptr);
    diary_.note("visited");
    app_.stop();
    co_return Result<>();
  }
  Task<> stop() { co_return; }

 private:
  AppletContext& context_;
  App& app_;
  Diary& diary_;
  Shelf& shelf_;
};

TEST(App, applets_find_their_siblings_and_the_same_applet_on_other_cores) {
  AppWorld world(2);
  world.app.add<Shelf>("shelf");
  world.app.add<Visitor>("visitor", &world.app, &world.diary);
  EXPECT_EQ(world.app.run(), 0);
  EXPECT_EQ(world.diary.lines(), std::vector<std::string>{"visited"});
}

// Calls fly in both directions all the time while the process is told to stop.
class Busy {
 public:
  explicit Busy(AppletContext& context, std::atomic<int>* answered)
      : context_(context), answered_(*answered), tasks_(context.core) {}
  Task<Result<>> start() {
    for (int i = 0; i < 100; ++i) tasks_.spawn(chat());
    co_return Result<>();
  }
  Task<> stop() { co_await tasks_.cancel_and_join(); }
  Task<std::string> echo(std::string text) {
    co_await context_.core.yield();
    co_return text;
  }

 private:
  Task<> chat() {
    for (;;) {
      const CoreId other((context_.core.id().value() + 1) % static_cast<std::uint32_t>(context_.cores().size()));
      const auto answer = co_await context_.sharded<Busy>().invoke_on(other, &Busy::echo, std::string(100, 'x'));
      EXPECT_EQ(answer.size(), 100U);
      if (answered_.fetch_add(1) == 20'000) ::kill(::getpid(), SIGTERM);
    }
  }
  AppletContext& context_;
  std::atomic<int>& answered_;
  TaskScope tasks_;
};

TEST(App, stops_in_order_under_load) {
  for (const std::size_t cores : {1, 2}) {
    AppWorld world(cores);
    std::atomic<int> answered = 0;
    world.app.add<Busy>("busy", &answered);
    EXPECT_EQ(world.app.run(), 0);
    EXPECT_GT(answered.load(), 20'000);
  }
}

class Blocker {
 public:
  explicit Blocker(AppletContext& context, App* app) : context_(context), app_(*app), tasks_(context.core) {}
  Task<Result<>> start() {
    tasks_.spawn(block());
    co_return Result<>();
  }
  Task<> stop() { co_await tasks_.cancel_and_join(); }

 private:
  Task<> block() {
    const TimePoint began = context_.core.clock().now();
    while (context_.core.clock().now() - began < 200ms) {}
    co_await context_.core.yield();
    text_ = co_await context_.metrics_registry().collect_text(context_.cores());
    EXPECT_EQ(text_.find("skerry_loop_stalls_total{core=\"0\"} 0"), std::string::npos) << text_;
    app_.stop();
  }
  AppletContext& context_;
  App& app_;
  std::string text_;
  TaskScope tasks_;
};

TEST(App, a_long_loop_turn_is_counted_and_logged_with_a_backtrace) {
  AppWorld world(1);
  world.app.add<Blocker>("blocker", &world.app);
  EXPECT_EQ(world.app.run(), 0);
  EXPECT_TRUE(world.logged("a loop turn holds up its core"));
  EXPECT_TRUE(world.logged("backtrace="));
}

class Resolver {
 public:
  explicit Resolver(AppletContext& context, App* app) : context_(context), app_(*app) {}
  Task<Result<>> start() {
    const auto loop = std::this_thread::get_id();
    const auto helper = co_await context_.blocking().run([] { return std::this_thread::get_id(); });
    EXPECT_NE(helper, loop);
    EXPECT_EQ(std::this_thread::get_id(), loop);
    bool threw = false;
    try {
      co_await context_.blocking().run([] { throw std::runtime_error("refused"); });
    } catch (const std::runtime_error&) {
      threw = true;
    }
    EXPECT_TRUE(threw);
    app_.stop();
    co_return Result<>();
  }
  Task<> stop() { co_return; }

 private:
  AppletContext& context_;
  App& app_;
};

TEST(Blocking, runs_on_another_thread_and_answers_on_the_core) {
  AppWorld world(1);
  world.app.add<Resolver>("resolver", &world.app);
  EXPECT_EQ(world.app.run(), 0);
}

}  // namespace
}  // namespace skerry
