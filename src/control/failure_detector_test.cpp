// SPDX-License-Identifier: Apache-2.0
#include "control/failure_detector.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skerry::control {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr NodeId one{1}, two{2};

class Detector : public testing::Test {
 protected:
  Detector() {
    for (const NodeId node : {one, two}) {
      detector.attend(node, now);
      detector.tick(now);
      detector.greeted(node, replica::Incarnation(1), now);
    }
  }
  // In steps, while the nodes that are named say something.
  void pass(Duration length, std::vector<NodeId> speaking) {
    for (Duration passed{}; passed < length; passed += 50ms) {
      now += 50ms;
      detector.tick(now);
      for (const NodeId node : speaking) detector.heard(node, {}, {}, now);
    }
  }
  void fail_and_return(NodeId node) {
    detector.broke(node, now);
    detector.connect_failed(node, now);
    detector.greeted(node, replica::Incarnation(1), now);
  }
  Duration distrusted_for(NodeId node) const { return detector.trusted_from(node) - now; }

  TimePoint now{1h};
  FailureDetector detector;
};

TEST_F(Detector, takes_silence_for_failure_after_400_ms) {
  pass(400ms - 50ms, {two});
  EXPECT_EQ(detector.condition(one), NodeCondition::serving);
  pass(50ms, {two});
  EXPECT_EQ(detector.condition(one), NodeCondition::failed);
  EXPECT_EQ(detector.condition(two), NodeCondition::serving);
  EXPECT_THAT(detector.take_failed(), ElementsAre(one));
  EXPECT_THAT(detector.take_failed(), IsEmpty());
}

TEST_F(Detector, waits_longer_for_a_first_word) {
  const NodeId three{3};
  detector.attend(three, now);
  pass(950ms, {one, two});
  EXPECT_EQ(detector.condition(three), NodeCondition::unknown);
  EXPECT_FALSE(detector.responds(three));
  pass(50ms, {one, two});
  EXPECT_EQ(detector.condition(three), NodeCondition::failed);
}

TEST_F(Detector, suspects_a_node_whose_call_broke_until_another_can_not_be_made) {
  detector.broke(one, now);
  EXPECT_EQ(detector.condition(one), NodeCondition::suspected);
  EXPECT_TRUE(detector.responds(one));
  detector.connect_failed(one, now);
  EXPECT_EQ(detector.condition(one), NodeCondition::failed);
  EXPECT_FALSE(detector.responds(one));
}

TEST_F(Detector, forgets_a_suspicion_when_the_call_is_made_again) {
  detector.broke(one, now);
  EXPECT_FALSE(detector.greeted(one, replica::Incarnation(1), now));
  EXPECT_EQ(detector.condition(one), NodeCondition::serving);
  EXPECT_TRUE(detector.is_trusted(one, now));
}

TEST_F(Detector, believes_another_node_that_does_not_hear_a_suspect_either) {
  detector.heard(two, {}, {one}, now);
  EXPECT_EQ(detector.condition(one), NodeCondition::serving);
  detector.broke(one, now);
  EXPECT_EQ(detector.condition(one), NodeCondition::failed);
  detector.greeted(one, replica::Incarnation(1), now);
  detector.heard(two, {}, {}, now);
  detector.broke(one, now);
  EXPECT_EQ(detector.condition(one), NodeCondition::suspected);
  detector.heard(two, {}, {one}, now);
  EXPECT_EQ(detector.condition(one), NodeCondition::failed);
}

TEST_F(Detector, notices_a_process_that_was_started_anew) {
  EXPECT_TRUE(detector.greeted(one, replica::Incarnation(2), now));
  EXPECT_FALSE(detector.greeted(one, replica::Incarnation(2), now));
  EXPECT_FALSE(detector.is_trusted(one, now));
  EXPECT_EQ(distrusted_for(one), 1s);
}

TEST_F(Detector, counts_no_silence_while_it_was_away_itself) {
  now += 5s;
  detector.tick(now);
  EXPECT_EQ(detector.condition(one), NodeCondition::serving);
  pass(400ms, {two});
  EXPECT_EQ(detector.condition(one), NodeCondition::failed);
}

TEST_F(Detector, asks_to_be_told_the_time_often_enough_to_notice) {
  EXPECT_EQ(detector.next_tick(), now + 100ms);
  detector.forget(one);
  detector.forget(two);
  EXPECT_EQ(detector.next_tick(), TimePoint::max());
}

TEST_F(Detector, trusts_later_with_each_failure) {
  detector.set_distrust_max(7s);
  fail_and_return(one);
  EXPECT_FALSE(detector.is_trusted(one, now));
  EXPECT_EQ(distrusted_for(one), 1s);
  EXPECT_TRUE(detector.is_trusted(one, now + 1s));
  fail_and_return(one);
  EXPECT_EQ(distrusted_for(one), 2s);
  fail_and_return(one);
  EXPECT_EQ(distrusted_for(one), 4s);
  fail_and_return(one);
  EXPECT_EQ(distrusted_for(one), 7s);
  EXPECT_TRUE(detector.is_trusted(two, now));
}

TEST_F(Detector, forgets_failures_that_are_long_past) {
  fail_and_return(one);
  fail_and_return(one);
  pass(30s, {one, two});
  fail_and_return(one);
  EXPECT_EQ(distrusted_for(one), 4s);
  pass(81s, {one, two});
  fail_and_return(one);
  EXPECT_EQ(distrusted_for(one), 1s);
}

TEST_F(Detector, does_not_count_on_a_node_whose_disk_is_silent) {
  detector.heard(one, 999ms, {}, now);
  EXPECT_TRUE(detector.responds(one));
  detector.heard(one, 1s, {}, now);
  EXPECT_TRUE(detector.is_disk_silent(one));
  EXPECT_FALSE(detector.responds(one));
  EXPECT_FALSE(detector.is_trusted(one, now));
  detector.heard(one, 0s, {}, now);
  EXPECT_TRUE(detector.is_trusted(one, now));
}

TEST_F(Detector, distrusts_a_leader_that_failed_as_one) {
  detector.distrust(one, now);
  EXPECT_EQ(detector.condition(one), NodeCondition::serving);
  EXPECT_FALSE(detector.is_trusted(one, now));
  EXPECT_TRUE(detector.is_trusted(one, now + 1s));
}

TEST_F(Detector, takes_a_late_report_for_a_return) {
  pass(400ms, {two});
  detector.heard(one, {}, {}, now);
  EXPECT_EQ(detector.condition(one), NodeCondition::serving);
  EXPECT_FALSE(detector.is_trusted(one, now));
}

}  // namespace
}  // namespace skerry::control
