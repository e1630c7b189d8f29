// SPDX-License-Identifier: Apache-2.0
#include "replica/node_leases.hpp"

#include <gtest/gtest.h>

#include "base/limits.hpp"

namespace skerry::replica {
namespace {

constexpr NodeId holder{1}, promiser{2};
constexpr TimePoint start{10s};
constexpr Duration counted = Duration(limits::lease_length) * 20 / 21;

// Two nodes whose clocks show the same.
struct Pair {
  NodeLeases one{Incarnation(1), start}, other{Incarnation(1), start};

  HeartbeatAnswer ask(TimePoint sent, TimePoint taken) { return other.answer(holder, one.heartbeat(promiser, sent), taken); }
  HeartbeatNews beat(TimePoint now) { return one.answered(promiser, ask(now, now)); }
  TimePoint until() const { return one.held_from(promiser).until; }
};

TEST(NodeLeases, nothing_is_held_from_a_node_that_never_answered) {
  Pair pair;
  pair.ask(start, start);
  EXPECT_EQ(pair.until(), TimePoint::min());
  EXPECT_EQ(pair.one.given_to(promiser), TimePoint::min());
}

TEST(NodeLeases, tells_whose_promises_have_run_out) {
  Pair pair;
  EXPECT_TRUE(pair.one.lapsed(start).empty());   // asked of nobody
  pair.ask(start, start);
  EXPECT_EQ(pair.one.lapsed(start), std::vector{promiser});
  pair.beat(start);
  EXPECT_TRUE(pair.one.lapsed(pair.until() - 1ms).empty());
  EXPECT_EQ(pair.one.lapsed(pair.until()), std::vector{promiser});
}

TEST(NodeLeases, a_promise_is_counted_from_sending_and_kept_from_taking) {
  Pair pair;
  const auto answer = pair.ask(start, start + 30ms);
  pair.one.answered(promiser, answer);
  EXPECT_EQ(pair.until(), start + counted);
  EXPECT_EQ(pair.other.given_to(holder), start + 30ms + limits::lease_length);
}

TEST(NodeLeases, an_answer_counts_for_its_own_heartbeat) {
  Pair pair;
  const auto first = pair.ask(start, start);
  pair.one.heartbeat(promiser, start + 25ms);
  pair.one.answered(promiser, first);
  EXPECT_EQ(pair.until(), start + counted);
}

TEST(NodeLeases, answers_that_are_old_doubled_or_for_a_former_life_prolong_nothing) {
  Pair pair;
  const auto early = pair.ask(start, start);
  for (int beat = 1; beat <= 8; ++beat) pair.beat(start + beat * 25ms);
  const TimePoint until = pair.until();
  pair.one.answered(promiser, early);
  EXPECT_EQ(pair.until(), until);
  NodeLeases restarted(Incarnation(2), start);
  restarted.heartbeat(promiser, start);
  restarted.answered(promiser, early);
  EXPECT_EQ(restarted.held_from(promiser).until, TimePoint::min());
}

TEST(NodeLeases, a_number_that_was_never_sent_counts_for_nothing) {
  Pair pair;
  auto answer = pair.ask(start, start);
  for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{2}, ~std::uint64_t{0}}) {
    answer.number = number;
    pair.one.answered(promiser, answer);
  }
  EXPECT_EQ(pair.until(), TimePoint::min());
}

TEST(NodeLeases, news_is_told_until_it_is_confirmed) {
  Pair pair;
  const FencedNews news{ShardId(4), Term(9)};
  pair.beat(start);
  pair.other.fenced(holder, news);
  pair.ask(start + 25ms, start + 25ms);   // the answer is lost
  EXPECT_EQ(pair.beat(start + 50ms).fenced, std::vector{news});
  EXPECT_TRUE(pair.beat(start + 75ms).fenced.empty());
}

TEST(NodeLeases, a_confirmation_is_of_one_life_only) {
  Pair pair;
  pair.other.fenced(holder, {ShardId(1), Term(1)});
  pair.beat(start);
  pair.other = NodeLeases(Incarnation(2), start + 10ms);
  pair.other.fenced(holder, {ShardId(2), Term(2)});
  pair.ask(start + 25ms, start + 25ms);   // this heartbeat confirms the news of the former life
  EXPECT_EQ(pair.beat(start + 50ms).fenced.size(), 1U);
}

TEST(NodeLeases, the_promise_counts_with_the_last_of_much_news) {
  Pair pair;
  const auto many = static_cast<std::int64_t>(limits::fenced_news_max) + 1;
  for (std::int64_t shard = 0; shard < many; ++shard) pair.other.fenced(holder, {ShardId(shard), Term(1)});
  EXPECT_EQ(pair.beat(start).fenced.size(), limits::fenced_news_max);
  EXPECT_EQ(pair.until(), TimePoint::min());
  EXPECT_EQ(pair.beat(start + 25ms).fenced.size(), 1U);
  EXPECT_EQ(pair.until(), start + 25ms + counted);
}

TEST(NodeLeases, a_new_life_is_noticed_and_an_old_one_no_longer_heard) {
  Pair pair;
  EXPECT_TRUE(pair.beat(start).restarted);
  EXPECT_FALSE(pair.beat(start + 25ms).restarted);
  const auto late = pair.ask(start + 50ms, start + 50ms);
  pair.other = NodeLeases(Incarnation(2), start + 60ms);
  EXPECT_TRUE(pair.beat(start + 75ms).restarted);
  EXPECT_EQ(pair.one.held_from(promiser).incarnation, Incarnation(2));
  pair.one.answered(promiser, late);
  EXPECT_EQ(pair.one.held_from(promiser).incarnation, Incarnation(2));
}

TEST(NodeLeases, a_node_stands_promised_for_one_lease_after_its_start) {
  EXPECT_EQ(NodeLeases(Incarnation(1), start).given_in_former_life(), start + limits::lease_length);
}

}  // namespace
}  // namespace skerry::replica
