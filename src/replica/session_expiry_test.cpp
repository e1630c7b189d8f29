// SPDX-License-Identifier: Apache-2.0
#include "replica/session_expiry.hpp"

#include <gtest/gtest.h>

#include "runtime/clock.hpp"

namespace skerry::replica {
namespace {

constexpr SessionId a{1}, b{2};

struct SessionExpiryTest : testing::Test {
  ManualClock clock;
  SessionExpiry expiry{clock.now()};
  std::vector<SessionId> ended;

  void tick(std::size_t count_max = 128) {
    for (const SessionId id : expiry.tick(clock.now(), count_max)) {
      ended.push_back(id);
      expiry.ended(id);
    }
  }
  void pass(Duration time) {
    for (Duration passed{}; passed < time; passed += session_tick) {
      clock.advance(session_tick);
      tick();
    }
  }
};

TEST_F(SessionExpiryTest, a_silent_session_ends_after_its_timeout_and_not_before) {
  expiry.created(a, 2s, clock.now());
  pass(2s);
  EXPECT_TRUE(ended.empty());
  pass(2 * session_tick);
  EXPECT_EQ(ended, std::vector{a});
  EXPECT_EQ(expiry.size(), 0);
}

TEST_F(SessionExpiryTest, heartbeats_keep_a_session) {
  expiry.created(a, 2s, clock.now());
  expiry.created(b, 2s, clock.now());
  for (int i = 0; i < 10; ++i) {
    pass(1s);
    EXPECT_TRUE(expiry.heartbeat(a, clock.now()));
  }
  EXPECT_EQ(ended, std::vector{b});
}

TEST_F(SessionExpiryTest, a_stall_ends_nobody_whose_heartbeat_waited_in_a_socket) {
  expiry.created(a, 2s, clock.now());
  expiry.created(b, 2s, clock.now());
  pass(1s);
  clock.advance(1min);   // the process stood still
  tick();                // the timer comes first
  tick();
  EXPECT_TRUE(ended.empty());
  EXPECT_TRUE(expiry.heartbeat(a, clock.now()));
  pass(1500ms);
  EXPECT_EQ(ended, std::vector{b});
}

TEST_F(SessionExpiryTest, a_session_past_its_timeout_is_saved_by_a_heartbeat_before_the_next_tick) {
  expiry.created(a, 2s, clock.now());
  pass(2s - session_tick);
  clock.advance(session_tick);
  tick();   // suspected now
  EXPECT_TRUE(expiry.heartbeat(a, clock.now()));
  pass(1s);
  EXPECT_TRUE(ended.empty());
}

TEST_F(SessionExpiryTest, a_stall_after_the_suspicion_leaves_time_for_the_heartbeats_that_came_in_it) {
  expiry.created(a, 2s, clock.now());
  expiry.created(b, 2s, clock.now());
  pass(2s);   // suspected now
  clock.advance(1min);
  tick();
  EXPECT_TRUE(ended.empty());
  EXPECT_TRUE(expiry.heartbeat(a, clock.now()));
  pass(session_tick);
  EXPECT_EQ(ended, std::vector{b});
}

TEST_F(SessionExpiryTest, a_session_whose_end_is_decided_hears_no_more_heartbeats) {
  expiry.created(a, 2s, clock.now());
  std::vector<SessionId> decided;
  for (int ticks = 0; ticks < 20 && decided.empty(); ++ticks) {
    clock.advance(session_tick);
    decided = expiry.tick(clock.now(), 128);
  }
  ASSERT_EQ(decided, std::vector{a});
  EXPECT_FALSE(expiry.heartbeat(a, clock.now()));
  clock.advance(session_tick);
  EXPECT_TRUE(expiry.tick(clock.now(), 128).empty());
  expiry.retry(decided);
  clock.advance(session_tick);
  EXPECT_EQ(expiry.tick(clock.now(), 128), std::vector{a});
}

TEST_F(SessionExpiryTest, no_more_than_asked_for_end_at_once_and_the_rest_follows) {
  for (int i = 0; i < 300; ++i) expiry.created(SessionId(i), 2s, clock.now());
  pass(2s);
  clock.advance(session_tick);
  EXPECT_EQ(expiry.tick(clock.now(), 128).size(), 128);
  EXPECT_EQ(expiry.tick(clock.now(), 128).size(), 128);
  EXPECT_EQ(expiry.tick(clock.now(), 128).size(), 44);
}

TEST_F(SessionExpiryTest, an_unknown_session_has_no_heartbeat) {
  EXPECT_FALSE(expiry.heartbeat(a, clock.now()));
  expiry.ended(a);
}

}  // namespace
}  // namespace skerry::replica
