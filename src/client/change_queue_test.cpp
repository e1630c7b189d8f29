// SPDX-License-Identifier: Apache-2.0
#include "client/change_queue.hpp"

#include <gtest/gtest.h>

#include "runtime/core.hpp"

namespace skerry::client {
namespace {

namespace pb = io::oxia::proto::v1;

constexpr ShardId shard0{0}, shard1{1};

struct QueueWorld {
  ManualClock clock;
  Core core{CoreId{0}, clock, 1};
  ChangeQueue queue{core, 1 << 20};

  void push(ShardId shard, std::int64_t offset, const std::vector<std::string>& keys) {
    store::v1::NotificationBatch batch;
    batch.set_shard(shard.value());
    batch.set_offset(offset);
    for (const std::string& key : keys) batch.add_notifications()->set_key(key);
    queue.push(shard, batch);
  }
  std::string drain() {
    std::string keys;
    while (const auto change = queue.pop()) keys += change->key + " ";
    return keys;
  }
};

TEST(ChangeQueue, hands_out_changes_in_the_order_they_came_and_drops_what_comes_again) {
  QueueWorld world;
  world.push(shard0, 4, {});
  world.push(shard0, 5, {"a", "b"});
  world.push(shard1, 3, {"x"});
  world.push(shard0, 5, {"a", "b"});   // after a new connection
  world.push(shard0, 4, {"old"});
  world.push(shard0, 6, {"c"});
  EXPECT_EQ(world.drain(), "a b x c ");
}

TEST(ChangeQueue, goes_back_behind_a_gap_of_a_store_that_was_put_back) {
  QueueWorld world;
  world.push(shard0, 500, {"before"});
  EXPECT_EQ(world.drain(), "before ");
  store::v1::NotificationBatch gap;
  gap.set_offset(3);
  gap.mutable_gap()->set_first_offset(0);
  world.queue.push(shard0, gap);
  world.push(shard0, 4, {"after"});
  const auto told = world.queue.pop();
  ASSERT_TRUE(told);
  EXPECT_EQ(told->kind, ChangeKind::gap);
  EXPECT_EQ(world.drain(), "after ");
}

TEST(ChangeQueue, moves_a_position_when_the_whole_batch_was_handed_out) {
  QueueWorld world;
  world.push(shard0, 4, {});
  world.push(shard0, 5, {"a", "b"});
  ASSERT_TRUE(world.queue.pop());
  EXPECT_EQ(world.queue.positions(), (Positions{{shard0, Offset{4}}}));
  ASSERT_TRUE(world.queue.pop());
  EXPECT_EQ(world.queue.positions(), (Positions{{shard0, Offset{5}}}));
}

TEST(ChangeQueue, is_ready_when_every_shard_has_answered) {
  QueueWorld world;
  world.queue.shards()[shard0];
  world.queue.shards()[shard1];
  world.push(shard0, 0, {});
  EXPECT_FALSE(world.queue.all_ready());
  world.push(shard1, 7, {});
  EXPECT_TRUE(world.queue.all_ready());
}

TEST(ChangeQueue, has_room_again_when_changes_were_taken) {
  QueueWorld world;
  ChangeQueue small(world.core, 10);
  store::v1::NotificationBatch batch;
  batch.set_offset(1);
  batch.add_notifications()->set_key("a");
  small.push(shard0, batch);
  EXPECT_FALSE(small.has_room());
  ASSERT_TRUE(small.pop());
  EXPECT_TRUE(small.has_room());
}

TEST(ChangeQueue, starts_a_shard_where_those_stopped_whose_place_it_took) {
  QueueWorld world;
  world.queue.shards()[shard0] = {0, 99, std::nullopt, false, nullptr};
  world.queue.shards()[shard1] = {100, 199, std::nullopt, false, nullptr};
  world.push(shard0, 41, {"a"});
  world.push(shard1, 90, {"b"});
  EXPECT_EQ(world.queue.start_after({shard0}), Offset{41});
  EXPECT_EQ(world.queue.start_after({shard0, shard1}), Offset{41});
  EXPECT_EQ(world.queue.start_after({}), no_offset);
  world.queue.shards()[ShardId{9}] = {200, 299, std::nullopt, false, nullptr};
  EXPECT_EQ(world.queue.start_after({ShardId{9}}), std::nullopt);
}

TEST(ChangeQueue, tells_every_kind_of_change) {
  QueueWorld world;
  store::v1::NotificationBatch batch;
  batch.set_offset(9);
  batch.set_timestamp(1000);
  pb::NotificationEntry& entry = *batch.add_notifications();
  entry.set_key("a");
  entry.mutable_value()->set_type(pb::KEY_RANGE_DELETED);
  entry.mutable_value()->set_key_range_last("z");
  world.queue.push(shard1, batch);
  const auto change = world.queue.pop();
  ASSERT_TRUE(change);
  EXPECT_EQ(change->kind, ChangeKind::range_deleted);
  EXPECT_EQ(change->range_end, "z");
  EXPECT_EQ(change->shard, shard1);
  EXPECT_EQ(change->offset, Offset{9});
  EXPECT_EQ(change->time.time_since_epoch(), 1s);
  EXPECT_FALSE(change->version_id);
}

}  // namespace
}  // namespace skerry::client
