// SPDX-License-Identifier: Apache-2.0
#include "replica/follower_progress.hpp"

#include <gtest/gtest.h>

namespace skerry::replica {
namespace {

constexpr TimePoint now{1s};
constexpr MembershipVersion version{3};

Append entries(Offset first, Offset last, Offset commit = no_offset) {
  return {.term = Term(2),
          .version = version,
          .previous = {Term(2), first.previous()},
          .entries_term = Term(2),
          .last = last,
          .commit = commit};
}
AppendAnswer matched(Offset offset, Offset commit = no_offset) {
  return {.term = Term(2), .incarnation = Incarnation(5), .version = version, .matched = offset, .commit = commit};
}
void hear_matched(FollowerProgress& follower, Offset offset, Offset commit = no_offset) {
  follower.heard(matched(offset, commit), now);
  follower.matched_to(offset);
}
// Streams, with everything up to the offset acknowledged.
FollowerProgress streaming(Offset offset) {
  FollowerProgress follower(NodeId(2), offset.next());
  follower.sent(entries(offset.next(), offset), 0, now);
  hear_matched(follower, offset);
  return follower;
}

TEST(FollowerProgress, asks_once_until_it_knows_where_the_follower_stands) {
  FollowerProgress follower(NodeId(2), Offset(10));
  EXPECT_TRUE(follower.has_room());
  EXPECT_TRUE(follower.lacks(Offset(9), version));
  follower.sent(entries(Offset(10), Offset(12)), 30, now);
  EXPECT_FALSE(follower.has_room());
  EXPECT_EQ(follower.patience_ends(), now + limits::append_patience);
  follower.missing(Offset(9), Offset(4));
  EXPECT_TRUE(follower.has_room());
  EXPECT_EQ(follower.next(), Offset(4));
  EXPECT_EQ(follower.patience_ends(), TimePoint::max());
}

TEST(FollowerProgress, an_answer_to_an_earlier_question_is_none_to_this_one) {
  FollowerProgress follower(NodeId(2), Offset(10));
  follower.sent(entries(Offset(10), Offset(12)), 30, now);
  follower.missing(Offset(9), Offset(4));
  follower.sent(entries(Offset(4), Offset(6)), 30, now);
  follower.missing(Offset(9), Offset(4));
  EXPECT_FALSE(follower.has_room());
}

TEST(FollowerProgress, bytes_in_flight_are_bounded_and_one_message_may_begin_below) {
  FollowerProgress follower = streaming(Offset(9));
  const std::size_t half = limits::follower_bytes_in_flight_max / 2;
  follower.sent(entries(Offset(10), Offset(10)), half, now);
  follower.sent(entries(Offset(11), Offset(11)), half - 1, now);
  EXPECT_TRUE(follower.has_room());
  follower.sent(entries(Offset(12), Offset(12)), half, now);
  EXPECT_FALSE(follower.has_room());
  hear_matched(follower, Offset(10));
  EXPECT_EQ(follower.bytes_in_flight(), limits::follower_bytes_in_flight_max - 1);
  EXPECT_TRUE(follower.has_room());
}

TEST(FollowerProgress, entries_in_flight_are_bounded) {
  FollowerProgress follower = streaming(no_offset);
  const auto most = static_cast<std::int64_t>(limits::follower_entries_in_flight_max);
  follower.sent(entries(Offset(0), Offset(most - 2)), 1, now);
  EXPECT_TRUE(follower.has_room());
  follower.sent(entries(Offset(most - 1), Offset(most - 1)), 1, now);
  EXPECT_FALSE(follower.has_room());
}

TEST(FollowerProgress, the_commit_offset_goes_alone_when_nothing_follows) {
  FollowerProgress follower = streaming(Offset(9));
  EXPECT_FALSE(follower.lacks_commit(no_offset));
  EXPECT_TRUE(follower.lacks_commit(Offset(9)));
  EXPECT_FALSE(follower.lacks(Offset(9), version));
  follower.sent(entries(Offset(10), Offset(9), Offset(9)), 0, now);
  EXPECT_FALSE(follower.lacks_commit(Offset(9)));
  EXPECT_EQ(follower.patience_ends(), now + limits::append_patience);
  hear_matched(follower, Offset(9), Offset(9));
  EXPECT_EQ(follower.patience_ends(), TimePoint::max());
}

TEST(FollowerProgress, what_was_in_flight_goes_again_after_a_probe) {
  FollowerProgress follower = streaming(Offset(9));
  follower.sent(entries(Offset(10), Offset(20)), 1000, now);
  follower.probe();
  EXPECT_EQ(follower.next(), Offset(10));
  EXPECT_EQ(follower.bytes_in_flight(), 0U);
  EXPECT_EQ(follower.mode(), FollowerProgress::Mode::probing);
}

TEST(FollowerProgress, a_snapshot_ends_when_the_follower_says_what_it_has) {
  FollowerProgress follower = streaming(Offset(9));
  follower.begin_snapshot();
  EXPECT_FALSE(follower.has_room());
  hear_matched(follower, Offset(9));
  EXPECT_EQ(follower.mode(), FollowerProgress::Mode::snapshot);
  hear_matched(follower, Offset(40));
  EXPECT_EQ(follower.mode(), FollowerProgress::Mode::streaming);
  EXPECT_EQ(follower.next(), Offset(41));
  follower.begin_snapshot();
  follower.end_snapshot(Offset(60));
  EXPECT_EQ(follower.mode(), FollowerProgress::Mode::probing);
  EXPECT_EQ(follower.next(), Offset(61));
  EXPECT_EQ(follower.matched(), Offset(40));
}

}  // namespace
}  // namespace skerry::replica
