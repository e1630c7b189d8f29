// SPDX-License-Identifier: Apache-2.0
#include "client/shard_map.hpp"

#include <gtest/gtest.h>

#include "base/hash.hpp"
#include "oxia/client.pb.h"

namespace skerry::client {
namespace {

using io::oxia::proto::v1::NamespaceShardsAssignment;

void add(NamespaceShardsAssignment& assignment, std::int64_t id, std::uint32_t min, std::uint32_t max,
         std::string leader = "a:1") {
  auto& shard = *assignment.add_assignments();
  shard.set_shard(id);
  shard.set_leader(std::move(leader));
  shard.mutable_int32_hash_range()->set_min_hash_inclusive(min);
  shard.mutable_int32_hash_range()->set_max_hash_inclusive(max);
}

NamespaceShardsAssignment three_shards() {
  NamespaceShardsAssignment assignment;
  add(assignment, 2, 0xAAAAAAAC, 0xFFFFFFFF);
  add(assignment, 0, 0, 0x55555555);
  add(assignment, 1, 0x55555556, 0xAAAAAAAB);
  return assignment;
}

TEST(ShardMap, routes_every_hash_to_the_shard_whose_inclusive_range_holds_it) {
  const auto map = ShardMap::from(three_shards());
  ASSERT_TRUE(map);
  EXPECT_EQ(map->route(0)->id, ShardId{0});
  EXPECT_EQ(map->route(0x55555555)->id, ShardId{0});
  EXPECT_EQ(map->route(0x55555556)->id, ShardId{1});
  EXPECT_EQ(map->route(0xAAAAAAAB)->id, ShardId{1});
  EXPECT_EQ(map->route(0xAAAAAAAC)->id, ShardId{2});
  EXPECT_EQ(map->route(0xFFFFFFFF)->id, ShardId{2});
  EXPECT_TRUE(map->covers_all_hashes());
}

TEST(ShardMap, routes_the_protocols_test_keys_as_published) {
  EXPECT_EQ(key_hash("foo"), 125730186U);
  EXPECT_EQ(key_hash("bar"), 2687685474U);
  const auto map = ShardMap::from(three_shards());
  EXPECT_EQ(map->route(key_hash("foo"))->id, ShardId{0});
  EXPECT_EQ(map->route(key_hash("bar"))->id, ShardId{1});
}

TEST(ShardMap, has_nothing_for_a_hash_in_a_gap) {
  NamespaceShardsAssignment assignment;
  add(assignment, 1, 10, 20);
  add(assignment, 2, 31, 0xFFFFFFFF);
  const auto map = ShardMap::from(assignment);
  ASSERT_TRUE(map);
  EXPECT_EQ(map->route(9), nullptr);
  EXPECT_EQ(map->route(21), nullptr);
  EXPECT_EQ(map->route(31)->id, ShardId{2});
  EXPECT_FALSE(map->covers_all_hashes());
}

TEST(ShardMap, has_nothing_at_all_when_no_shard_was_assigned) {
  const auto map = ShardMap::from(NamespaceShardsAssignment());
  ASSERT_TRUE(map);
  EXPECT_EQ(map->route(0), nullptr);
  EXPECT_FALSE(map->covers_all_hashes());
}

TEST(ShardMap, refuses_ranges_that_overlap_are_turned_round_or_share_an_id) {
  NamespaceShardsAssignment overlap;
  add(overlap, 1, 0, 100);
  add(overlap, 2, 100, 200);
  EXPECT_EQ(ShardMap::from(overlap).error(), Errc::corrupt);
  NamespaceShardsAssignment turned;
  add(turned, 1, 7, 6);
  EXPECT_EQ(ShardMap::from(turned).error(), Errc::corrupt);
  NamespaceShardsAssignment twice;
  add(twice, 1, 0, 1);
  add(twice, 1, 2, 3);
  EXPECT_EQ(ShardMap::from(twice).error(), Errc::corrupt);
}

TEST(ShardMap, follows_a_hint_only_for_shards_that_it_knows) {
  auto map = ShardMap::from(three_shards());
  EXPECT_TRUE(map->set_leader(ShardId{1}, "b:2"));
  EXPECT_EQ(map->find(ShardId{1})->leader, "b:2");
  EXPECT_FALSE(map->set_leader(ShardId{1}, "b:2"));
  EXPECT_FALSE(map->set_leader(ShardId{9}, "b:2"));
}

ShardMap map_of(std::vector<std::pair<std::int64_t, std::uint32_t>> firsts) {
  NamespaceShardsAssignment assignment;
  for (std::size_t i = 0; i < firsts.size(); ++i)
    add(assignment, firsts[i].first, firsts[i].second, i + 1 < firsts.size() ? firsts[i + 1].second - 1 : 0xFFFFFFFF);
  return *ShardMap::from(assignment);
}

TEST(ShardMap, is_older_than_one_where_others_took_the_place_of_its_shards) {
  const ShardMap whole = map_of({{0, 0}}), halves = map_of({{1, 0}, {2, 100}}), thirds = map_of({{1, 0}, {3, 100}, {4, 200}}),
                 merged = map_of({{5, 0}, {4, 200}});
  EXPECT_TRUE(whole.is_older_than(halves));
  EXPECT_TRUE(whole.is_older_than(merged));
  EXPECT_TRUE(halves.is_older_than(thirds));
  EXPECT_TRUE(thirds.is_older_than(merged));
  for (const ShardMap& each : {halves, thirds, merged}) EXPECT_FALSE(each.is_older_than(whole));
  EXPECT_FALSE(merged.is_older_than(thirds));
  EXPECT_FALSE(halves.is_older_than(halves));
}

}  // namespace
}  // namespace skerry::client
