// SPDX-License-Identifier: Apache-2.0
#include "node/cli_cluster_output.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "node/cli_top_cluster_view.hpp"

namespace skerry::node {
namespace {

namespace v1 = control::v1;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

void add_node(v1::Cluster& cluster, std::uint32_t id, const std::string& name) {
  v1::ClusterNode& node = *cluster.add_nodes();
  node.set_node(id);
  node.set_name(name);
  node.set_condition(v1::ClusterNode::SERVING);
  node.set_replicas(1);
}

// Two nodes, one shard led by the first; the second is 12 entries behind.
v1::Cluster small() {
  v1::Cluster cluster;
  cluster.set_instance("reef");
  cluster.set_epoch(3);
  cluster.set_coordinator("h:6651");
  cluster.set_configured(true);
  add_node(cluster, 1, "one");
  add_node(cluster, 2, "two");
  v1::ClusterNamespace& space = *cluster.add_namespaces();
  space.set_name("default");
  space.set_shards(1);
  space.set_replicas(2);
  v1::ClusterShard& shard = *cluster.add_shards();
  shard.set_namespace_("default");
  shard.set_hash_max(UINT32_MAX);
  shard.set_term(4);
  shard.set_leader(1);
  shard.set_serving(true);
  shard.set_commit(100);
  shard.set_writes(50);
  shard.add_replicas()->set_node(1);
  v1::ClusterReplica& follower = *shard.add_replicas();
  follower.set_node(2);
  follower.set_lag(12);
  return cluster;
}

TEST(ClusterOutput, shows_a_row_for_each_node) {
  v1::Cluster cluster = small();
  cluster.mutable_nodes(1)->set_draining(true);
  cluster.mutable_nodes(1)->set_why_not_drained("1 replicas are still there");
  const std::string text = nodes_text(cluster, AdminFormat::table);
  EXPECT_THAT(text, HasSubstr("NODE  NAME  CONDITION"));
  EXPECT_THAT(text, HasSubstr("serving, draining"));
  EXPECT_THAT(text, HasSubstr("1 replicas are still there"));
  EXPECT_EQ(nodes_text(cluster, AdminFormat::name), "one\ntwo\n");
  cluster.mutable_nodes(1)->clear_why_not_drained();
  EXPECT_THAT(nodes_text(cluster, AdminFormat::table), HasSubstr("serving, drained"));
}

TEST(ClusterOutput, marks_who_leads_and_who_is_no_plain_voter) {
  v1::Cluster cluster = small();
  cluster.mutable_shards(0)->mutable_replicas(1)->set_kind(v1::ClusterReplica::LEARNER);
  cluster.mutable_shards(0)->add_replicas()->set_node(9);
  EXPECT_EQ(replicas_text(cluster, cluster.shards(0)), "one* two(learner) #9");
  EXPECT_EQ(lag_text(cluster.shards(0)), "12");
  cluster.mutable_shards(0)->set_serving(false);
  EXPECT_EQ(lag_text(cluster.shards(0)), "-");
}

TEST(ClusterOutput, lists_the_shards_of_one_namespace_or_of_all) {
  v1::Cluster cluster = small();
  v1::ClusterShard& other = *cluster.add_shards();
  other.set_shard(1);
  other.set_namespace_("logs");
  EXPECT_EQ(shards_text(cluster, AdminFormat::name, ""), "0\n1\n");
  EXPECT_EQ(shards_text(cluster, AdminFormat::name, "logs"), "1\n");
  EXPECT_THAT(shards_text(cluster, AdminFormat::table, "default"), Not(HasSubstr("logs")));
}

TEST(ClusterOutput, is_a_document_for_programs) {
  const auto value = boost::json::parse(cluster_text(small(), AdminFormat::json)).as_object();
  EXPECT_EQ(value.at("instance"), "reef");
  EXPECT_EQ(value.at("nodes").at(1).at("name"), "two");
  const auto& shard = value.at("shards").at(0);
  EXPECT_EQ(shard.at("leader"), "one");
  EXPECT_EQ(shard.at("replicas").at(1).at("lag").to_number<int>(), 12);
  const std::string yaml = cluster_text(small(), AdminFormat::yaml);
  EXPECT_THAT(yaml, HasSubstr("instance: \"reef\"\nepoch: 3\n"));
  EXPECT_THAT(yaml, HasSubstr("\nnodes:\n  - node: 1\n    name: \"one\"\n"));
  EXPECT_THAT(yaml, HasSubstr("    wanted: []\n"));
}

TEST(ClusterOutput, status_names_the_shards_that_wait_and_no_others) {
  v1::Cluster cluster = small();
  EXPECT_THAT(cluster_text(cluster, AdminFormat::table), HasSubstr("1 shards, each with a leader"));
  cluster.mutable_shards(0)->set_why_not_yet("waits for two to answer");
  EXPECT_THAT(cluster_text(cluster, AdminFormat::table), HasSubstr("waits for two to answer"));
  cluster.set_configured(false);
  EXPECT_THAT(cluster_text(cluster, AdminFormat::table), HasSubstr("has not read the cluster's configuration"));
}

TEST(ClusterOutput, a_namespace_is_ready_when_all_its_shards_serve) {
  v1::Cluster cluster = small();
  EXPECT_THAT(cluster_text(cluster, AdminFormat::table), HasSubstr("ready"));
  cluster.mutable_shards(0)->set_serving(false);
  EXPECT_THAT(cluster_text(cluster, AdminFormat::table), HasSubstr("0 of 1 shards serve"));
  cluster.mutable_shards(0)->set_serving(true);
  v1::ClusterShard& child = *cluster.add_shards();   // of a split: not to serve yet
  child.set_namespace_("default");
  child.mutable_reshape();
  cluster.mutable_namespaces(0)->set_shards(2);
  EXPECT_THAT(cluster_text(cluster, AdminFormat::table), HasSubstr("ready"));
}

TEST(ClusterOutput, all_is_led_when_every_namespace_is_there_and_every_leader_serves) {
  v1::Cluster cluster = small();
  EXPECT_TRUE(all_led(cluster));
  cluster.mutable_shards(0)->set_serving(false);
  EXPECT_FALSE(all_led(cluster));
  cluster = small();
  cluster.add_namespaces()->set_why_missing("too few servers");
  EXPECT_FALSE(all_led(cluster));
  EXPECT_FALSE(all_led(v1::Cluster()));
}

TEST(ClusterOutput, tells_what_has_changed_between_two_looks) {
  const v1::Cluster before = small();
  v1::Cluster after = small();
  EXPECT_THAT(cluster_changes(before, after), ElementsAre());
  after.mutable_nodes(0)->set_condition(v1::ClusterNode::FAILED);
  after.mutable_shards(0)->set_leader(2);
  after.mutable_shards(0)->set_term(5);
  EXPECT_THAT(cluster_changes(before, after), ElementsAre("one: failed", "shard 0 of default: led by two, term 5, on one two*"));
  after.clear_shards();
  EXPECT_THAT(cluster_changes(before, after), ElementsAre("one: failed", "shard 0 is deleted"));
}

TEST(ClusterTop, has_the_rates_of_shards_whose_leader_stayed) {
  const v1::Cluster before = small();
  v1::Cluster after = small();
  after.mutable_shards(0)->set_writes(70);
  const auto shard = [&] { return boost::json::parse(cluster_top_json({before, after, 2s})).at("shards").at(0); };
  EXPECT_EQ(shard().at("writes_per_second").to_number<double>(), 10);
  EXPECT_THAT(cluster_top_text({before, after, 2s}, 100), HasSubstr("10 writes"));
  after.mutable_shards(0)->set_leader(2);   // its counter is another one
  EXPECT_EQ(shard().at("writes_per_second").to_number<double>(), 0);
}

TEST(ClusterTop, fits_its_lines_and_shows_first_what_waits) {
  v1::Cluster cluster = small();
  for (int n = 1; n < 50; ++n) {
    *cluster.add_shards() = cluster.shards(0);
    cluster.mutable_shards(n)->set_shard(n);
  }
  cluster.mutable_shards(42)->set_why_not_yet("waits");
  const std::string text = cluster_top_text({cluster, cluster, 1s}, 20);
  EXPECT_LE(std::ranges::count(text, '\n'), 20);
  EXPECT_THAT(text, HasSubstr("\n42 "));
  EXPECT_THAT(text, HasSubstr("shards more"));
}

}  // namespace
}  // namespace skerry::node
