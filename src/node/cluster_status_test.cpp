// SPDX-License-Identifier: Apache-2.0
#include "node/cluster_status.hpp"

#include <gtest/gtest.h>

namespace skerry::node {
namespace {

ClusterStatus two_namespaces() {
  ClusterStatus status;
  status.instance_id = "f00d";
  status.nodes = 2;
  status.add_namespace("default", control::split_hashes(3), store::KeyOrder::hierarchical, true);
  status.add_namespace("logs", control::split_hashes(1), store::KeyOrder::natural, false);
  return status;
}

TEST(ClusterStatus, spreads_shards_over_the_nodes_in_turn) {
  const ClusterStatus status = two_namespaces();
  EXPECT_EQ(status.namespaces.at("default").shards.at(ShardId{0}).node, 0U);
  EXPECT_EQ(status.namespaces.at("default").shards.at(ShardId{1}).node, 1U);
  EXPECT_EQ(status.namespaces.at("logs").shards.at(ShardId{3}).node, 1U);
  EXPECT_EQ(status.next_shard, ShardId{4});
}

TEST(ClusterStatus, survives_being_written_and_read) {
  const Result<ClusterStatus> read = ClusterStatus::from_yaml(two_namespaces().to_yaml());
  ASSERT_TRUE(read.has_value()) << read.error().message();
  EXPECT_EQ(read->to_yaml(), two_namespaces().to_yaml());
  EXPECT_EQ(read->namespaces.at("logs").order, store::KeyOrder::natural);
}

TEST(ClusterStatus, remembers_shards_that_are_still_to_be_deleted) {
  ClusterStatus status = two_namespaces();
  status.remove_namespace("logs");
  EXPECT_FALSE(status.namespaces.contains("logs"));
  const Result<ClusterStatus> read = ClusterStatus::from_yaml(status.to_yaml());
  ASSERT_TRUE(read.has_value()) << read.error().message();
  EXPECT_EQ(read->deleting, (std::map<ShardId, std::uint32_t>{{ShardId{3}, 1U}}));
  status.add_namespace("logs", control::split_hashes(1), store::KeyOrder::natural, false);
  EXPECT_TRUE(status.namespaces.at("logs").shards.contains(ShardId{4})) << "a number is never used twice";
  EXPECT_EQ(ClusterStatus::from_yaml("instanceId: a\nnodes: 1\nshardIdGenerator: 1\nnamespaces: {}\n"
                                     "deletingShards:\n  0: {name: node-7}\n")
                .error(),
            Errc::corrupt);
}

TEST(ClusterStatus, every_cut_of_the_document_is_refused_or_complete) {
  const std::string whole = two_namespaces().to_yaml();
  for (std::size_t length = 0; length + 4 < whole.size(); ++length) {
    const Result<ClusterStatus> read = ClusterStatus::from_yaml(whole.substr(0, length));
    if (read) EXPECT_NE(read->to_yaml(), whole) << "cut at " << length;
  }
  EXPECT_EQ(ClusterStatus::from_yaml("").error(), Errc::corrupt);
  EXPECT_EQ(ClusterStatus::from_yaml("nodes: 1\n").error().text, "line 1: \"instanceId\" is missing");
}

}  // namespace
}  // namespace skerry::node
