// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/limits.hpp"
#include "replica/testing/shard_world.hpp"

namespace skerry::replica {
namespace {

using Batch = std::shared_ptr<const store::NotificationBatch>;

struct ShardFollowersTest : testing::Test {
  ShardWorld world;
  void SetUp() override { ASSERT_TRUE(world.open()); }

  void put(Bytes key, Bytes value = "v") {
    const PutRequest request(std::move(key), std::move(value));
    ASSERT_TRUE(world.run(world.shard().write(request.request())));
  }
  std::unique_ptr<NotificationFollower> follow(std::optional<Offset> start = {}) { return *world.shard().follow(start); }
  Batch next(NotificationFollower& follower) { return *world.run(follower.next()); }
  Bytes next_key(NotificationFollower& follower) { return next(follower)->notifications.at(0).key; }

  static Task<> keep_next(NotificationFollower& follower, std::optional<Result<Batch>>& into) { into = co_await follower.next(); }
};

TEST_F(ShardFollowersTest, the_first_batch_is_empty_and_names_the_commit_offset) {
  put("before");
  const auto follower = follow();
  put("after");
  const Batch first = next(*follower);
  EXPECT_TRUE(first->notifications.empty());
  EXPECT_EQ(first->offset, world.shard().commit().previous());
  const Batch second = next(*follower);
  EXPECT_EQ(second->offset, world.shard().commit());
  EXPECT_EQ(second->notifications.at(0).key, "after");
  EXPECT_EQ(second->notifications.at(0).kind, store::NotificationKind::created);
  EXPECT_EQ(second->stamp.wall(), world.clock.wall());
}

TEST_F(ShardFollowersTest, a_follower_waits_for_the_next_change) {
  const auto follower = follow();
  next(*follower);
  std::optional<Result<Batch>> change;
  world.tasks().spawn(keep_next(*follower, change));
  world.settle();
  EXPECT_FALSE(change);
  put("a");
  world.settle();
  ASSERT_TRUE(change);
  EXPECT_EQ((**change)->notifications.at(0).key, "a");
}

TEST_F(ShardFollowersTest, resuming_gives_exactly_what_came_after) {
  std::vector<Offset> offsets;
  for (int i = 0; i < 20; ++i) {
    put("k" + std::to_string(i));
    offsets.push_back(world.shard().commit());
  }
  const auto follower = follow(offsets[4]);
  for (std::size_t i = 5; i < 20; ++i) {
    const Batch batch = next(*follower);
    EXPECT_EQ(batch->offset, offsets[i]);
    EXPECT_EQ(batch->notifications.at(0).key, "k" + std::to_string(i));
  }
}

TEST_F(ShardFollowersTest, resuming_works_over_a_crash) {
  put("a");
  const Offset seen = world.shard().commit();
  put("b");
  world.crash();
  ASSERT_TRUE(world.open());
  put("c");
  const auto follower = follow(seen);
  EXPECT_EQ(next_key(*follower), "b");
  EXPECT_EQ(next_key(*follower), "c");
}

TEST_F(ShardFollowersTest, a_slow_follower_is_served_from_the_log_and_holds_up_no_writer) {
  world.options().shard.notification_ring_bytes = 1 << 10;
  ASSERT_TRUE(world.restart());
  const auto slow = follow(), quick = follow();
  next(*slow);
  next(*quick);
  for (int i = 0; i < 500; ++i) {
    put("key-with-some-length-" + std::to_string(i));
    EXPECT_EQ(next_key(*quick), "key-with-some-length-" + std::to_string(i));
  }
  for (int i = 0; i < 500; ++i) EXPECT_EQ(next_key(*slow), "key-with-some-length-" + std::to_string(i));
  put("last");
  EXPECT_EQ(next_key(*slow), "last");
}

TEST_F(ShardFollowersTest, a_start_that_is_no_offset_at_all_harms_nobody) {
  put("a");
  const auto from_below = follow(Offset(std::numeric_limits<std::int64_t>::min()));
  EXPECT_EQ(next_key(*from_below), "a");
  const auto from_above = follow(Offset(std::numeric_limits<std::int64_t>::max()));
  put("b");
  EXPECT_EQ(next_key(*from_above), "b");
}

TEST_F(ShardFollowersTest, a_start_that_was_trimmed_continues_at_the_oldest_kept) {
  put("a");
  put("b");
  put("c");
  ASSERT_TRUE(world.run(world.group().checkpoint()));
  ASSERT_TRUE(world.log().trim(ShardId(0), world.shard().commit()));
  const auto follower = follow(Offset(0));
  EXPECT_EQ(next_key(*follower), "c");
}

TEST_F(ShardFollowersTest, a_follower_of_a_wholly_trimmed_log_waits_for_what_comes) {
  put("a");
  ASSERT_TRUE(world.run(world.group().checkpoint()));
  ASSERT_TRUE(world.log().trim(ShardId(0), world.shard().commit().next()));
  const auto follower = follow(Offset(0));
  std::optional<Result<Batch>> change;
  world.tasks().spawn(keep_next(*follower, change));
  world.settle();
  EXPECT_FALSE(change);
  put("b");
  world.settle();
  ASSERT_TRUE(change);
  EXPECT_EQ((**change)->notifications.at(0).key, "b");
}

TEST_F(ShardFollowersTest, changes_that_are_logged_but_not_committed_are_not_told) {
  const auto follower = follow(world.shard().commit());
  world.state.faults.sync_takes = 10ms;
  const PutRequest request("a", "v");
  Ticket ticket = world.shard().propose(request.request());
  std::optional<Result<Batch>> change;
  world.tasks().spawn(keep_next(*follower, change));
  world.settle();
  EXPECT_FALSE(change);
  world.pass(10ms);
  EXPECT_TRUE(ticket.ready());
  EXPECT_TRUE(change);
}

TEST_F(ShardFollowersTest, entries_that_change_no_record_are_skipped) {
  const auto follower = follow(world.shard().commit());
  ASSERT_TRUE(world.run(world.shard().create_session(5s, "me")));
  put("a");
  EXPECT_EQ(next_key(*follower), "a");
}

TEST_F(ShardFollowersTest, stopping_the_shard_ends_its_followers) {
  const auto follower = follow();
  next(*follower);
  std::optional<Result<Batch>> change;
  world.tasks().spawn(keep_next(*follower, change));
  world.settle();
  world.tasks().spawn(world.shard().stop());
  world.settle();
  ASSERT_TRUE(change);
  EXPECT_EQ(change->error(), make_error_code(ShardError::not_serving));
}

TEST_F(ShardFollowersTest, following_is_refused_where_notifications_are_off) {
  world.options().shard.notifications = false;
  ASSERT_TRUE(world.restart());
  EXPECT_EQ(world.shard().follow({}).error(), make_error_code(ShardError::notifications_disabled));
}

TEST_F(ShardFollowersTest, one_that_has_seen_more_than_there_is_is_told_so_and_goes_on) {
  put("before");
  NotificationWishes wishes;
  wishes.gaps = true;
  const auto told = *world.shard().follow(Offset(500), wishes);
  const Batch gap = next(*told);
  EXPECT_EQ(gap->missing_from, Offset(0));
  EXPECT_EQ(gap->offset, world.shard().commit());
  const auto not_told = follow(Offset(500));
  put("after");
  EXPECT_EQ(next_key(*told), "after");
  EXPECT_EQ(next_key(*not_told), "after");
}

TEST_F(ShardFollowersTest, one_more_than_the_limit_is_refused_until_another_has_gone) {
  std::vector<std::unique_ptr<NotificationFollower>> all;
  for (std::size_t i = 0; i < limits::shard_followers_max; ++i) all.push_back(follow());
  const auto refused = world.shard().follow({});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::resource_exhausted);
  all.pop_back();
  EXPECT_TRUE(world.shard().follow({}));
}

struct SequenceFollowersTest : ShardFollowersTest {
  void add(Bytes prefix) {
    const std::uint64_t delta = 1;
    PutRequest request(std::move(prefix), "v");
    request.put.partition_key = "p";
    request.put.sequence_deltas = {&delta, 1};
    ASSERT_EQ(world.run(world.shard().write(request.request()))->puts[0].status, store::Status::ok);
  }
  static Bytes key(int number) { return fmt::format("s-{:020d}", number); }
  static Task<> keep_next(SequenceFollower& follower, std::optional<Result<Bytes>>& into) { into = co_await follower.next(); }
};

TEST_F(SequenceFollowersTest, the_current_highest_key_comes_first_and_then_each_new_one) {
  add("s");
  add("s");
  const auto follower = *world.shard().follow_sequence("s");
  EXPECT_EQ(*world.run(follower->next()), key(2));
  add("s");
  EXPECT_EQ(*world.run(follower->next()), key(3));
}

TEST_F(SequenceFollowersTest, a_follower_of_an_empty_sequence_waits_for_its_first_key) {
  const auto follower = *world.shard().follow_sequence("s");
  std::optional<Result<Bytes>> told;
  world.tasks().spawn(keep_next(*follower, told));
  add("other");
  world.settle();
  EXPECT_FALSE(told);
  add("s");
  world.settle();
  ASSERT_TRUE(told);
  EXPECT_EQ(**told, key(1));
}

TEST_F(SequenceFollowersTest, one_more_than_the_limit_is_refused) {
  std::vector<std::unique_ptr<SequenceFollower>> all;
  for (std::size_t i = 0; i < limits::shard_followers_max; ++i) all.push_back(*world.shard().follow_sequence("s"));
  EXPECT_EQ(world.shard().follow_sequence("s").error(), Errc::resource_exhausted);
}

TEST_F(SequenceFollowersTest, a_slow_follower_is_told_only_the_latest) {
  const auto follower = *world.shard().follow_sequence("s");
  for (int i = 0; i < 10; ++i) add("s");
  EXPECT_EQ(*world.run(follower->next()), key(10));
  std::optional<Result<Bytes>> told;
  world.tasks().spawn(keep_next(*follower, told));
  world.settle();
  EXPECT_FALSE(told);
  world.tasks().spawn(world.shard().stop());
  world.settle();
  ASSERT_TRUE(told);
  EXPECT_EQ(told->error(), make_error_code(ShardError::not_serving));
}

TEST_F(ShardFollowersTest, one_who_asks_for_it_is_told_of_a_gap) {
  for (const char* key : {"a", "b", "c"}) put(key);
  ASSERT_TRUE(world.run(world.group().checkpoint()));
  ASSERT_TRUE(world.log().trim(ShardId(0), world.shard().commit()));
  NotificationWishes wishes;
  wishes.gaps = true;
  const auto follower = *world.shard().follow(no_offset, wishes);
  const Batch gap = next(*follower);
  EXPECT_EQ(gap->missing_from, Offset(0));
  EXPECT_EQ(gap->offset, world.shard().commit().previous());
  EXPECT_TRUE(gap->notifications.empty());
  EXPECT_EQ(next_key(*follower), "c");
  ASSERT_TRUE(world.log().trim(ShardId(0), world.shard().commit().next()));
  const auto of_nothing = *world.shard().follow(Offset(0), wishes);
  EXPECT_EQ(next(*of_nothing)->offset, world.shard().commit());
}

TEST_F(ShardFollowersTest, one_with_a_filter_hears_of_its_prefixes_and_of_deleted_ranges) {
  NotificationWishes wishes;
  wishes.filter = store::NotificationFilter({"/mine/", "/ours/"});
  const auto follower = *world.shard().follow(world.shard().commit(), wishes);
  put("/theirs/1");
  put("/mine/1");
  const store::DeleteRange ranges[] = {{"/theirs/", "/theirs//"}};
  ASSERT_TRUE(world.run(world.shard().write({{}, {}, ranges})));
  put("/theirs/2");
  put("/ours/1");
  EXPECT_EQ(next_key(*follower), "/mine/1");
  EXPECT_EQ(next_key(*follower), "/theirs/");
  EXPECT_EQ(next_key(*follower), "/ours/1");
  const auto from_log = *world.shard().follow(no_offset, wishes);
  EXPECT_EQ(next_key(*from_log), "/mine/1");
}

TEST_F(ShardFollowersTest, one_with_a_filter_is_told_now_and_then_how_far_nothing_passed) {
  NotificationWishes wishes;
  wishes.filter = store::NotificationFilter({"/mine"});
  const Offset start = world.shard().commit();
  const auto follower = *world.shard().follow(start, wishes);
  for (int i = 0; i < 1000; ++i) put("/theirs");
  const Batch told = next(*follower);
  EXPECT_TRUE(told->notifications.empty());
  EXPECT_EQ(told->offset, Offset(start.value() + 1000));
}

}  // namespace
}  // namespace skerry::replica
