// SPDX-License-Identifier: Apache-2.0
#include "replica/shard_group.hpp"

#include <gtest/gtest.h>

#include "replica/testing/shard_world.hpp"

namespace skerry::replica {
namespace {

constexpr ShardId one{0}, two{1};

ShardWorld::Options small_node() {
  ShardWorld::Options options;
  options.log.segment_bytes = 64 << 10;
  options.group.replay_bytes_max = 128 << 10;
  options.group.wal_retention_bytes = 512 << 10;
  return options;
}

Task<bool> retired(ShardGroup& group, ShardId shard) {
  co_await group.retire(shard);
  co_return true;
}

struct ShardGroupTest : testing::Test {
  ShardWorld world{small_node()};
  void SetUp() override {
    ASSERT_TRUE(world.open(one));
    ASSERT_TRUE(world.open(two));
    world.group().start();
  }
  void put(ShardId shard, Bytes key, Bytes value) {
    const PutRequest request(std::move(key), std::move(value));
    ASSERT_TRUE(world.run(world.shard(shard).write(request.request())));
  }
  Bytes value_of(ShardId shard, Bytes key) { return world.run(world.shard(shard).get({.key = key, .index = {}}))->value; }
  void reopen() {
    ASSERT_TRUE(world.open(one));
    ASSERT_TRUE(world.open(two));
    world.group().start();
  }
};

TEST_F(ShardGroupTest, shards_of_a_node_keep_apart) {
  put(one, "a", "of one");
  put(two, "a", "of two");
  EXPECT_EQ(value_of(one, "a"), "of one");
  EXPECT_EQ(value_of(two, "a"), "of two");
  world.crash();
  reopen();
  EXPECT_EQ(value_of(one, "a"), "of one");
  EXPECT_EQ(value_of(two, "a"), "of two");
}

TEST_F(ShardGroupTest, tells_when_a_shard_has_changed_and_is_silent_when_none_has) {
  const std::uint64_t before = world.group().changes();
  world.pass(2s);
  EXPECT_EQ(world.group().changes(), before);
  put(one, "a", "of one");
  EXPECT_GT(world.group().changes(), before);
}

TEST_F(ShardGroupTest, a_shard_is_opened_once) {
  EXPECT_EQ(world.open(one).error(), make_error_code(Errc::already_exists));
  EXPECT_EQ(world.group().find(ShardId(7)), nullptr);
}

TEST_F(ShardGroupTest, checkpoints_bound_what_a_crash_has_to_replay) {
  for (int i = 0; i < 1000; ++i) {
    put(one, "k" + std::to_string(i % 50), Bytes(1000, 'x'));
    if (i % 20 == 0) world.pass(1s);
  }
  world.crash();
  reopen();
  EXPECT_LE(world.shard(one).recovery().replayed_bytes, 256 << 10);
  EXPECT_EQ(value_of(one, "k0").size(), 1000);
}

TEST_F(ShardGroupTest, the_log_keeps_within_its_bytes_and_an_idle_shard_does_not_pin_it) {
  put(two, "idle", "v");
  for (int i = 0; i < 3000; ++i) {
    put(one, "k" + std::to_string(i % 50), Bytes(1000, 'x'));
    if (i % 50 == 0) world.pass(10s);
  }
  world.pass(1min);
  EXPECT_LE(world.log().bytes(), 800 << 10);
  world.crash();
  reopen();
  EXPECT_EQ(value_of(one, "k49").size(), 1000);
  EXPECT_EQ(value_of(two, "idle"), "v");
}

TEST_F(ShardGroupTest, changes_can_be_followed_back_for_the_retention_time_and_no_longer) {
  put(one, "old", "v");
  ASSERT_TRUE(world.run(world.group().checkpoint()));
  world.pass(30min);
  put(one, "newer", "v");
  ASSERT_TRUE(world.run(world.group().checkpoint()));
  world.pass(20min);
  {
    const auto follower = *world.shard(one).follow(Offset(0));
    EXPECT_EQ((*world.run(follower->next()))->notifications.at(0).key, "old");
  }
  world.pass(15min);
  const auto follower = *world.shard(one).follow(Offset(0));
  EXPECT_EQ((*world.run(follower->next()))->notifications.at(0).key, "newer");
}

TEST_F(ShardGroupTest, nothing_is_trimmed_that_the_engine_has_not_made_durable) {
  world.options().group.replay_bytes_max = 1 << 30;
  ASSERT_TRUE(world.stop());
  world.kill();
  reopen();
  const Offset durable = world.shard(one).durable();
  put(one, "a", "v");
  world.pass(3h);
  EXPECT_EQ(world.shard(one).durable(), durable);
  world.crash();
  reopen();
  EXPECT_EQ(value_of(one, "a"), "v");
}

TEST_F(ShardGroupTest, the_newest_entry_before_a_time_is_found) {
  std::vector<std::pair<WallTime, Offset>> written;
  for (int i = 0; i < 40; ++i) {
    world.pass(1min);
    put(one, "k", "v");
    written.emplace_back(world.clock.wall(), world.shard(one).commit());
  }
  for (const auto& [time, offset] : written) {
    EXPECT_EQ(*world.run(world.shard(one).last_before(time + 1ms)), offset);
    EXPECT_EQ(*world.run(world.shard(one).last_before(time)), offset.previous());
  }
  EXPECT_EQ(*world.run(world.shard(one).last_before(WallTime{})), no_offset);
}

TEST_F(ShardGroupTest, a_checkpoint_that_fails_stops_writes_and_not_reads) {
  put(one, "a", "v");
  world.state.faults.fail_write = 1;
  ASSERT_FALSE(world.run(world.group().checkpoint()));
  const PutRequest request("b", "v");
  const auto refused = world.run(world.shard(two).write(request.request()));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), make_error_code(ShardError::log_stopped));
  EXPECT_EQ(value_of(one, "a"), "v");
}

TEST_F(ShardGroupTest, random_crashes_lose_nothing_acknowledged) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    ShardWorld machine(small_node(), seed);
    ASSERT_TRUE(machine.open(one));
    machine.group().start();
    std::map<Bytes, int> acknowledged, attempted;
    for (int round = 0; round < 10; ++round) {
      machine.state.faults.sync_takes = Duration(machine.random().below(2'000'000));
      std::vector<std::pair<Bytes, Ticket>> tickets;
      std::vector<std::unique_ptr<PutRequest>> requests;
      for (std::uint64_t writes = machine.random().below(200); writes > 0; --writes) {
        const Bytes key = "k" + std::to_string(machine.random().below(20));
        auto& request = *requests.emplace_back(std::make_unique<PutRequest>(key, std::to_string(++attempted[key])));
        tickets.emplace_back(key, machine.shard(one).propose(request.request()));
        if (machine.random().chance(0.1)) machine.pass(1ms);
      }
      const std::map<Bytes, int> last = attempted;
      std::map<Bytes, int> counted;
      for (auto& [key, ticket] : tickets) {
        if (ticket.ready() && ticket.take()) ++counted[key];
      }
      tickets.clear();
      machine.crash();
      ASSERT_TRUE(machine.open(one));
      machine.group().start();
      for (const auto& [key, attempts] : attempted) {
        const auto found = machine.run(machine.shard(one).get({.key = key, .index = {}}));
        const int value = found->status == store::Status::ok ? std::stoi(found->value) : 0;
        EXPECT_GE(value, acknowledged[key] + counted[key]) << "seed " << seed << " key " << key;
        EXPECT_LE(value, attempts);
        attempted[key] = acknowledged[key] = value;   // what is there now has been read, so it must stay
      }
    }
  }
}

TEST_F(ShardGroupTest, a_retired_shard_is_forgotten_when_nobody_uses_it_and_comes_back_empty) {
  put(one, "a", "of one");
  put(two, "a", "of two");
  auto use = std::make_optional(world.shard(one).use());
  world.run(retired(world.group(), one));
  EXPECT_EQ(world.group().find(one), nullptr);
  EXPECT_EQ(world.run(world.group().forget(one, world.core().now() + 1s)).error(), make_error_code(Errc::deadline_exceeded));
  use.reset();
  ASSERT_TRUE(world.run(world.group().forget(one, world.core().now() + 1s)));
  ASSERT_TRUE(world.open(one));
  EXPECT_EQ(world.run(world.shard(one).get({.key = "a", .index = {}}))->status, store::Status::key_not_found);
  EXPECT_EQ(value_of(two, "a"), "of two");
}

Task<> erase(ShardGroup& group, ShardId shard, Deadline deadline, int& done) {
  co_await group.retire(shard);
  if (co_await group.forget(shard, deadline)) ++done;
}

// As a coordinator asks that hears nothing, while a write waits for the disk.
TEST_F(ShardGroupTest, a_shard_that_is_retired_twice_is_freed_when_it_has_stopped) {
  world.state.faults.sync_takes = 3s;
  const PutRequest request("a", "unsynced");
  const Ticket ticket = world.shard(one).propose(request.request());
  int done = 0;
  const Deadline deadline = world.core().now() + 1min;
  world.tasks().spawn(erase(world.group(), one, deadline, done));
  world.settle();
  ASSERT_EQ(world.group().find(one), nullptr);
  world.tasks().spawn(erase(world.group(), one, deadline, done));
  world.settle();
  EXPECT_EQ(done, 0);
  EXPECT_FALSE(ticket.ready());
  while (done < 2 && world.step()) {}
  EXPECT_EQ(done, 2);
  EXPECT_TRUE(ticket.ready());
}

TEST_F(ShardGroupTest, what_a_crash_left_of_a_shard_can_be_forgotten) {
  put(one, "a", "of one");
  world.crash();
  ASSERT_TRUE(world.open(two));
  ASSERT_TRUE(world.run(world.group().forget(one, world.core().now() + 1s)));
  ASSERT_TRUE(world.run(world.group().forget(one, world.core().now() + 1s))) << "once more";
  ASSERT_TRUE(world.open(one));
  EXPECT_EQ(world.run(world.shard(one).get({.key = "a", .index = {}}))->status, store::Status::key_not_found);
}

}  // namespace
}  // namespace skerry::replica
