// SPDX-License-Identifier: Apache-2.0
#include "replica/stamp_source.hpp"

#include <gtest/gtest.h>

#include "base/limits.hpp"
#include "replica/shard_error.hpp"
#include "runtime/clock.hpp"

namespace skerry::replica {
namespace {

struct StampSourceTest : testing::Test {
  ManualClock clock;
  StampSource stamps{clock.wall(), clock.now()};
  Stamp last;
  Result<Stamp> next() {
    auto stamp = stamps.next(last, clock.wall(), clock.now());
    if (stamp) last = *stamp;
    return stamp;
  }
};

TEST_F(StampSourceTest, stamps_rise_within_one_millisecond) {
  const Stamp first = *next();
  const Stamp second = *next();
  EXPECT_LT(first, second);
  EXPECT_EQ(first.millis(), second.millis());
  EXPECT_EQ(first.wall(), clock.wall());
}

TEST_F(StampSourceTest, stamps_rise_while_the_wall_clock_goes_back) {
  const Stamp before = *next();
  clock.jump_wall(-2h);
  EXPECT_GT(*next(), before);
}

TEST_F(StampSourceTest, a_wall_clock_that_returns_after_going_back_has_not_jumped) {
  ASSERT_TRUE(next());
  clock.jump_wall(-10h);
  ASSERT_TRUE(next());
  clock.jump_wall(10h);
  EXPECT_TRUE(next());
}

TEST_F(StampSourceTest, a_jump_up_to_the_limit_is_taken) {
  clock.jump_wall(limits::clock_jump_max);
  EXPECT_TRUE(next());
}

TEST_F(StampSourceTest, a_jump_beyond_the_limit_is_refused_until_the_clock_is_right_again) {
  ASSERT_TRUE(next());
  clock.jump_wall(limits::clock_jump_max + 1s);
  const auto refused = next();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), make_error_code(ShardError::clock_jumped));
  EXPECT_NE(refused.error().text.find("3601 s ahead"), std::string::npos) << refused.error().text;
  clock.advance(1min);
  EXPECT_FALSE(next());
  clock.jump_wall(-limits::clock_jump_max);
  EXPECT_TRUE(next());
}

TEST_F(StampSourceTest, time_that_passes_on_both_clocks_is_no_jump) {
  clock.advance(10 * limits::clock_jump_max);
  EXPECT_TRUE(next());
}

}  // namespace
}  // namespace skerry::replica
