// SPDX-License-Identifier: Apache-2.0
#include "runtime/timers.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "runtime/random.hpp"

namespace skerry {
namespace {

struct NotingTimer : Timer {
  explicit NotingTimer(std::function<void()> what) : due(std::move(what)) {}
  void on_due() override { due(); }
  std::function<void()> due;
};

constexpr TimePoint wheel_start{1h};

TEST(Timers, are_told_in_order_of_time_then_of_arming) {
  Timers timers;
  std::string told;
  NotingTimer a([&] { told += 'a'; }), b([&] { told += 'b'; }), c([&] { told += 'c'; }), d([&] { told += 'd'; });
  timers.arm(c, wheel_start + 2h);
  timers.arm(d, wheel_start + 2h);
  timers.arm(a, wheel_start + 1ns);
  timers.arm(b, wheel_start + 500us);
  EXPECT_EQ(timers.run(wheel_start), 0U);
  EXPECT_EQ(timers.run(wheel_start + 3h), 4U);
  EXPECT_EQ(told, "abcd");
}

TEST(Timers, none_is_told_early_and_next_is_exact_when_near) {
  Timers timers;
  int told = 0;
  NotingTimer timer([&] { ++told; });
  timers.run(wheel_start);
  timers.arm(timer, wheel_start + 300us);
  EXPECT_EQ(timers.next(), wheel_start + 300us);
  timers.run(wheel_start + 300us - 1ns);
  EXPECT_EQ(told, 0);
  timers.run(wheel_start + 300us);
  EXPECT_EQ(told, 1);
  EXPECT_EQ(timers.next(), std::nullopt);
}

TEST(Timers, a_timer_may_cancel_destroy_and_arm_others_when_told) {
  Timers timers;
  std::string told;
  std::unique_ptr<NotingTimer> doomed;
  NotingTimer cancelled([&] { told += 'x'; });
  NotingTimer later([&] { told += 'l'; });
  NotingTimer first([&] {
    told += 'f';
    cancelled.cancel();
    doomed.reset();
    timers.arm(later, wheel_start);   // already past
  });
  doomed = std::make_unique<NotingTimer>([&] { told += 'x'; });
  timers.arm(first, wheel_start + 1s);
  timers.arm(cancelled, wheel_start + 1s);
  timers.arm(*doomed, wheel_start + 1s);
  timers.run(wheel_start + 2s);
  EXPECT_EQ(told, "fl");
  EXPECT_EQ(timers.size(), 0U);
}

TEST(Timers, the_farthest_time_can_be_armed) {
  Timers timers;
  NotingTimer timer([] { FAIL(); });
  timers.arm(timer, no_deadline);
  timers.run(wheel_start);
  EXPECT_TRUE(timer.armed());
  EXPECT_GT(*timers.next(), wheel_start);
}

TEST(Timers, timers_that_outlive_it_are_no_longer_armed) {
  NotingTimer timer([] {});
  {
    Timers timers;
    timers.arm(timer, wheel_start);
  }
  EXPECT_FALSE(timer.armed());
}

// Against a sorted map, which is obviously right.
TEST(Timers, agree_with_a_sorted_map_over_random_histories) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Timers timers;
    std::vector<int> told, expected;
    std::vector<std::unique_ptr<NotingTimer>> all;
    for (int i = 0; i < 50; ++i) all.push_back(std::make_unique<NotingTimer>([&told, i] { told.push_back(i); }));
    std::map<std::pair<TimePoint, std::uint64_t>, int> model;
    const auto forget = [&](int i) { std::erase_if(model, [i](const auto& entry) { return entry.second == i; }); };
    TimePoint now = wheel_start;
    timers.run(now);
    for (std::uint64_t step = 0; step < 2000; ++step) {
      const int i = static_cast<int>(random.below(all.size()));
      switch (random.below(4)) {
        case 0:
          all[static_cast<std::size_t>(i)]->cancel();
          forget(i);
          break;
        case 1: {
          if (random.chance(0.5)) now += Duration(random.below(std::uint64_t{1} << random.below(45)));
          if (const auto next = timers.next(); next && random.chance(0.5)) now = std::max(now, *next);
          const auto due = model.upper_bound({now, ~std::uint64_t{0}});
          for (auto each = model.begin(); each != due; ++each) expected.push_back(each->second);
          model.erase(model.begin(), due);
          timers.run(now);
          ASSERT_EQ(told, expected);
          const auto next = timers.next();
          ASSERT_EQ(next.has_value(), !model.empty());
          if (next) {
            ASSERT_GT(*next, now);
            ASSERT_LE(*next, model.begin()->first.first);
          }
          break;
        }
        default: {
          const TimePoint at = now + Duration(random.below(std::uint64_t{1} << random.below(50)));
          timers.arm(*all[static_cast<std::size_t>(i)], at);
          forget(i);
          model[{at, step}] = i;
        }
      }
      ASSERT_EQ(timers.size(), model.size());
    }
  }
}

}  // namespace
}  // namespace skerry
