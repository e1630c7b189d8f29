// SPDX-License-Identifier: Apache-2.0
#include "control/cluster_status.hpp"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

namespace skerry::control {
namespace {

ClusterStatus two_namespaces() {
  ClusterStatus status{.instance = "reef",
                       .next_node = NodeId(5),
                       .next_shard = ShardId(3),
                       .configuration = "servers: []\n",
                       .former_configurations = {4, UINT64_MAX}};
  for (std::uint32_t id = 1; id <= 4; ++id) {
    status.nodes[NodeId(id)] = {
        .name = "n" + std::to_string(id), .public_address = "h:1", .internal_address = "h:2", .pool = "p"};
  }
  status.nodes[NodeId(3)].bound = true;
  status.nodes[NodeId(4)].draining = true;
  status.nodes[NodeId(4)].removed = true;
  status.nodes[NodeId(4)].lost = true;
  status.namespaces["default"] = {.replicas = 3, .notifications = false, .order = store::KeyOrder::natural};
  status.namespaces["old"] = {.deleting = true};
  ShardStatus& led = status.shards[ShardId(0)];
  led = {.name_space = "default", .hashes = {0, 99}, .term = Term(7), .state = ShardState::steady, .leader = NodeId(2)};
  led.members = {.version = MembershipVersion(9),
                 .old_voters = {NodeId(1), NodeId(2)},
                 .voters = {NodeId(2), NodeId(3)},
                 .learners = {NodeId(4)}};
  led.wanted = {NodeId(2), NodeId(3)};
  led.removed = {NodeId(4)};
  ShardStatus& leaderless = status.shards[ShardId(1)];
  leaderless = {.name_space = "default", .hashes = {100, UINT32_MAX}};
  leaderless.members.voters = {NodeId(1)};
  ShardStatus& leaving = status.shards[ShardId(2)];
  leaving = {.name_space = "old", .hashes = {}, .term = Term(3), .state = ShardState::deleting};
  leaving.members.voters = {NodeId(1)};
  return status;
}

std::string refusal(const MetadataItems& items) {
  const auto status = ClusterStatus::from_items(items);
  if (status) return "";
  EXPECT_EQ(status.error(), Errc::corrupt);
  return status.error().text;
}

void expect_refusal(const ClusterStatus& status, const std::string& item, const std::string& why) {
  const std::string text = refusal(status.to_items());
  EXPECT_NE(text.find("\"" + item + "\""), std::string::npos) << text;
  EXPECT_NE(text.find(why), std::string::npos) << text;
}

TEST(ClusterStatus, reads_back_its_items) {
  const ClusterStatus status = two_namespaces();
  const MetadataItems items = status.to_items();
  EXPECT_EQ(items.size(), 3u + 4u + 2u + 3u);
  const auto read = ClusterStatus::from_items(items);
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(*read, status);
}

TEST(ClusterStatus, is_empty_where_nothing_is_kept) {
  const auto read = ClusterStatus::from_items({});
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, ClusterStatus());
}

TEST(ClusterStatus, deletes_the_item_of_what_is_gone) {
  ClusterStatus status = two_namespaces();
  status.shards.erase(ShardId(2));
  status.namespaces.erase("old");
  EXPECT_EQ(shard_item(status, ShardId(2)).key, "shard/2");
  EXPECT_FALSE(shard_item(status, ShardId(2)).value);
  EXPECT_FALSE(namespace_item(status, "old").value);
  EXPECT_FALSE(node_item(status, NodeId(9)).value);
  EXPECT_TRUE(node_item(status, NodeId(4)).value);
}

TEST(ClusterStatus, names_the_item_that_is_damaged) {
  MetadataItems items = two_namespaces().to_items();
  items["shard/1"] = "\xff\xff\xff";
  EXPECT_NE(refusal(items).find("\"shard/1\" can't be decoded"), std::string::npos);
  items = two_namespaces().to_items();
  items["shard/x1"] = items["shard/1"];
  EXPECT_NE(refusal(items).find("\"shard/x1\""), std::string::npos);
  items = two_namespaces().to_items();
  items.erase("cluster");
  EXPECT_NE(refusal(items).find("\"cluster\" is missing"), std::string::npos);
  items = two_namespaces().to_items();
  items["island/1"] = "";
  EXPECT_NE(refusal(items).find("\"island/1\""), std::string::npos);
}

TEST(ClusterStatus, refuses_items_that_contradict_each_other) {
  ClusterStatus status = two_namespaces();
  status.nodes.erase(NodeId(3));
  expect_refusal(status, "shard/0", "names node 3");
  status = two_namespaces();
  status.namespaces.erase("old");
  expect_refusal(status, "shard/2", "namespace \"old\"");
  status = two_namespaces();
  status.next_shard = ShardId(2);
  expect_refusal(status, "shard/2", "not given out");
  status = two_namespaces();
  status.next_node = NodeId(4);
  expect_refusal(status, "node/4", "not given out");
  status = two_namespaces();
  status.shards[ShardId(1)].members.voters.clear();
  expect_refusal(status, "shard/1", "has no voters");
  status = two_namespaces();
  status.shards[ShardId(0)].leader.reset();
  expect_refusal(status, "shard/0", "leader");
  status = two_namespaces();
  status.shards[ShardId(0)].wanted = {NodeId(2), NodeId(2)};
  expect_refusal(status, "shard/0", "wants");
  status = two_namespaces();
  status.shards[ShardId(0)].hashes = {5, 4};
  expect_refusal(status, "shard/0", "hashes");
  status = two_namespaces();
  status.namespaces["default"].replicas = 0;
  expect_refusal(status, "namespace/default", "replicas");
}

TEST(ClusterStatus, renders_the_document_that_oxia_has) {
  const YAML::Node root = YAML::Load(two_namespaces().to_yaml());
  EXPECT_EQ(root["instanceId"].as<std::string>(), "reef");
  EXPECT_EQ(root["shardIdGenerator"].as<int>(), 3);
  const YAML::Node space = root["namespaces"]["default"];
  EXPECT_EQ(space["replicationFactor"].as<int>(), 3);
  const YAML::Node shard = space["shards"]["0"];
  EXPECT_EQ(shard["status"].as<int>(), 1);
  EXPECT_EQ(shard["term"].as<int>(), 7);
  EXPECT_EQ(shard["leader"]["name"].as<std::string>(), "n2");
  EXPECT_EQ(shard["leader"]["public"].as<std::string>(), "h:1");
  EXPECT_EQ(shard["ensemble"].size(), 2u);
  EXPECT_EQ(shard["removedNodes"][0]["name"].as<std::string>(), "n1");
  EXPECT_EQ(shard["pendingDeleteShardNodes"][0]["name"].as<std::string>(), "n4");
  EXPECT_EQ(shard["int32HashRange"]["max"].as<std::uint32_t>(), 99u);
  EXPECT_EQ(space["shards"]["1"]["status"].as<int>(), 2);
  EXPECT_FALSE(space["shards"]["1"]["leader"]);
  EXPECT_EQ(root["namespaces"]["old"]["shards"]["2"]["status"].as<int>(), 3);
}

// Shard 1 becomes shards 3 and 4, and its copies stand.
ClusterStatus in_a_split() {
  ClusterStatus status = two_namespaces();
  status.next_shard = ShardId(5);
  ShardStatus& parent = status.shards[ShardId(1)];
  parent.state = ShardState::fenced;
  parent.reshaped_with = ShardId(1);
  parent.reshape = ReshapeStatus{.phase = ReshapeStatus::Phase::electing,
                                 .parents = {ShardId(1)},
                                 .children = {ShardId(3), ShardId(4)},
                                 .heads = {{Term(4), Offset(40)}}};
  for (const auto& [id, hashes] :
       {std::pair(ShardId(3), HashRange{100, 199}), std::pair(ShardId(4), HashRange{200, UINT32_MAX})}) {
    ShardStatus& child = status.shards[id];
    child = {.name_space = "default", .hashes = hashes};
    child.members.voters = {NodeId(1)};
    child.reshaped_with = ShardId(1);
  }
  return status;
}

TEST(ClusterStatus, reads_back_a_split_and_renders_it_as_oxia_does) {
  const ClusterStatus status = in_a_split();
  const auto read = ClusterStatus::from_items(status.to_items());
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(*read, status);
  const YAML::Node shards = YAML::Load(status.to_yaml())["namespaces"]["default"]["shards"];
  EXPECT_EQ(shards["1"]["status"].as<int>(), 2);
  for (const char* id : {"1", "3", "4"}) {
    const YAML::Node split = shards[id]["split"];
    EXPECT_EQ(split["phase"].as<int>(), 2);
    EXPECT_EQ(split["parentShardId"].as<int>(), 1);
    EXPECT_EQ(split["childShardIds"][1].as<int>(), 4);
    EXPECT_EQ(split["splitPoint"].as<int>(), 200);
  }
  EXPECT_FALSE(shards["0"]["split"]);
}

TEST(ClusterStatus, refuses_a_split_whose_parts_contradict_each_other) {
  ClusterStatus status = in_a_split();
  status.shards[ShardId(4)].reshaped_with.reset();
  expect_refusal(status, "shard/1", "does not know it");
  status = in_a_split();
  status.shards[ShardId(1)].reshape->heads.clear();
  expect_refusal(status, "shard/1", "impossible");
  status = in_a_split();
  status.shards[ShardId(1)].reshape->children.pop_back();
  expect_refusal(status, "shard/1", "impossible");
  status = in_a_split();
  status.shards[ShardId(0)].reshaped_with = ShardId(1);
  expect_refusal(status, "shard/0", "does not know it");
  status = two_namespaces();
  status.shards[ShardId(1)].state = ShardState::fenced;
  expect_refusal(status, "shard/1", "fenced for nothing");
}

TEST(SplitHashes, covers_all_hashes_once) {
  for (const std::uint32_t shards : {1u, 2u, 3u, 7u, 4096u}) {
    const auto ranges = split_hashes(shards);
    ASSERT_EQ(ranges.size(), shards);
    EXPECT_EQ(ranges.front().min, 0u);
    EXPECT_EQ(ranges.back().max, UINT32_MAX);
    for (std::size_t i = 1; i < ranges.size(); ++i) EXPECT_EQ(ranges[i].min, ranges[i - 1].max + 1);
  }
}

}  // namespace
}  // namespace skerry::control
