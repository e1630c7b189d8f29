// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "client/best_record.hpp"
#include "client/scan.hpp"

namespace skerry::client {
namespace {

namespace pb = io::oxia::proto::v1;

std::vector<std::string> sorted(KeyOrder order, std::vector<std::string> keys) {
  std::ranges::sort(keys, {}, [order](const std::string& key) { return sort_key(order, {}, Record{key, {}, {}, {}}); });
  return keys;
}

TEST(SortKey, is_the_order_in_which_servers_keep_keys) {
  EXPECT_EQ(sorted(KeyOrder::hierarchical, {"/a/b/c", "/z/a", "/b", "__oxia/x", "plain", "/a//", "/a/"}),
            (std::vector<std::string>{"plain", "/b", "/a/", "/a//", "/z/a", "/a/b/c", "__oxia/x"}));
  EXPECT_EQ(sorted(KeyOrder::natural, {"/b", "/a/b/c", "__oxia/x", "zz"}),
            (std::vector<std::string>{"/a/b/c", "/b", "zz", "__oxia/x"}));
}

TEST(SortKey, follows_the_secondary_keys_over_an_index_and_the_primary_keys_among_equals) {
  RangeOptions options;
  options.index = "by-owner";
  const Record anna{"/2", {}, {}, "anna"}, anna_again{"/1", {}, {}, "anna"}, bob{"/0", {}, {}, "bob"};
  EXPECT_LT(sort_key(KeyOrder::hierarchical, options, anna_again), sort_key(KeyOrder::hierarchical, options, anna));
  EXPECT_LT(sort_key(KeyOrder::hierarchical, options, anna), sort_key(KeyOrder::hierarchical, options, bob));
}

pb::GetRequest request(pb::KeyComparisonType comparison) {
  pb::GetRequest get;
  get.set_key("m");
  get.set_comparison_type(comparison);
  return get;
}

pb::GetResponse found(const std::string& key) {
  pb::GetResponse response;
  response.set_key(key);
  return response;
}

pb::GetResponse not_found() {
  pb::GetResponse response;
  response.set_status(pb::KEY_NOT_FOUND);
  return response;
}

std::string best(pb::KeyComparisonType comparison, const std::vector<std::string>& keys) {
  BestRecord best_record(KeyOrder::hierarchical, request(comparison));
  best_record.offer(not_found());
  for (const std::string& key : keys) best_record.offer(found(key));
  return best_record.take().key();
}

TEST(BestRecord, takes_the_greatest_below_and_the_least_above) {
  EXPECT_EQ(best(pb::FLOOR, {"a", "c", "b"}), "c");
  EXPECT_EQ(best(pb::LOWER, {"c", "a"}), "c");
  EXPECT_EQ(best(pb::CEILING, {"z", "n", "x"}), "n");
  EXPECT_EQ(best(pb::HIGHER, {"n", "z"}), "n");
}

TEST(BestRecord, compares_by_depth_first_as_hierarchical_servers_do) {
  EXPECT_EQ(best(pb::FLOOR, {"/z/a", "/a/b/c"}), "/a/b/c");
  EXPECT_EQ(best(pb::CEILING, {"/z/a", "/a/b/c"}), "/z/a");
}

TEST(BestRecord, knows_when_no_shard_had_one) {
  BestRecord none(KeyOrder::hierarchical, request(pb::FLOOR));
  none.offer(not_found());
  EXPECT_EQ(none.take().status(), pb::KEY_NOT_FOUND);
}

TEST(BestRecord, compares_secondary_keys_over_an_index) {
  pb::GetRequest by_index = request(pb::CEILING);
  by_index.set_secondary_index_name("by-owner");
  BestRecord best_record(KeyOrder::hierarchical, by_index);
  pb::GetResponse late = found("/1"), early = found("/2");
  late.set_secondary_index_key("zoe");
  early.set_secondary_index_key("nora");
  best_record.offer(late);
  best_record.offer(early);
  EXPECT_EQ(best_record.take().key(), "/2");
}

}  // namespace
}  // namespace skerry::client
