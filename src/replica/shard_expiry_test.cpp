// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "replica/testing/shard_world.hpp"

namespace skerry::replica {
namespace {

struct ShardExpiryTest : testing::Test {
  ShardWorld world;
  void SetUp() override { start(); }

  void start() {
    ASSERT_TRUE(world.open());
    world.group().start();
  }

  void put(BytesView key, std::optional<std::chrono::milliseconds> time_to_live) {
    store::Put put{};
    put.key = key;
    put.time_to_live = time_to_live;
    ASSERT_TRUE(world.run(world.shard().write({{&put, 1}, {}, {}})));
  }
  bool there(BytesView key) { return world.run(world.shard().get({.key = key, .index = {}}))->status == store::Status::ok; }
};

TEST_F(ShardExpiryTest, a_record_goes_within_a_tick_of_its_time) {
  put("short", 5s);
  put("long", 1h);
  put("for good", std::nullopt);
  world.pass(4s);
  EXPECT_TRUE(there("short"));
  world.pass(1s + 2 * session_tick);
  EXPECT_FALSE(there("short"));
  EXPECT_TRUE(there("long"));
  world.pass(2h);
  EXPECT_FALSE(there("long"));
  EXPECT_TRUE(there("for good"));
}

TEST_F(ShardExpiryTest, nothing_is_logged_while_nothing_is_due) {
  put("long", 1h);
  world.pass(1s);
  const Offset before = world.shard().commit();
  world.pass(10min);
  EXPECT_EQ(world.shard().commit(), before);
}

TEST_F(ShardExpiryTest, a_crash_changes_nothing_about_when_a_record_goes) {
  put("short", 5s);
  put("later", 1min);
  world.crash();
  start();
  EXPECT_TRUE(there("short"));
  world.pass(6s);
  EXPECT_FALSE(there("short"));
  EXPECT_TRUE(there("later"));
  world.crash();
  start();
  EXPECT_FALSE(there("short"));
  world.pass(1min);
  EXPECT_FALSE(there("later"));
}

TEST_F(ShardExpiryTest, very_many_that_are_due_go_in_several_entries_while_others_write) {
  std::vector<Bytes> keys;
  for (int i = 0; i < 5000; ++i) keys.push_back("k" + std::to_string(i));
  std::vector<store::Put> puts;
  for (const Bytes& key : keys) {
    puts.emplace_back();
    puts.back().key = key;
    puts.back().time_to_live = 1s;
  }
  ASSERT_TRUE(world.run(world.shard().write({puts, {}, {}})));
  const Offset before = world.shard().commit();
  world.pass(1s + 2 * session_tick);
  put("between", std::nullopt);
  for (const Bytes& key : keys) EXPECT_FALSE(there(key)) << key;
  EXPECT_TRUE(there("between"));
  EXPECT_EQ(world.shard().commit(), Offset(before.value() + 4));   // 2000, 2000 and 1000 records, and the put
}

}  // namespace
}  // namespace skerry::replica
