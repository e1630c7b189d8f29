// SPDX-License-Identifier: Apache-2.0
#include "control/cluster_view.hpp"

#include <gtest/gtest.h>

namespace skerry::control {
namespace {

// A core with obedient nodes: what it wants stored is stored, and what it asks is done.
struct ViewTest : testing::Test {
  static ClusterConfig config(int servers) {
    ClusterConfig config;
    config.namespaces = {{.name = "default", .shards = 2, .replicas = 3}};
    for (int n = 1; n <= servers; ++n) {
      const std::string name = "n" + std::to_string(n);
      config.servers.push_back({.name = name, .public_address = name + ":1", .internal_address = name + ":2"});
    }
    return config;
  }

  void start(int servers) {
    core = *CoordinatorCore::take_office({.epoch = 1, .items = {}}, {.fresh_instance = "reef"}, now);
    ASSERT_TRUE(core->configured(config(servers), now));
    settle();
  }

  void settle() {
    for (Effects effects = core->take_effects(); !effects.empty(); effects = core->take_effects()) {
      for (const Attendance& each : effects.attend) greet(each);
      for (const std::string& name : effects.bind) greet_bound(name);
      if (effects.commit) core->stored(effects.commit->number, now);
      for (const NodeCall& call : effects.calls) core->replied(call, obey(call), now);
    }
  }
  void pass(Duration time) {   // in steps, with everybody reporting
    for (const TimePoint until = now + time; now < until;) {
      now += 50ms;
      for (const auto& [name, node] : attended) core->reported(name, reports[name], now);
      core->tick(now);
      settle();
    }
  }

  void greet(const Attendance& attendance) {
    attended[attendance.name] = attendance.node;
    core->greeted(attendance.name,
                  {.incarnation = replica::Incarnation(1), .pool = attendance.name, .version = "1.0", .bound = std::nullopt},
                  now);
  }
  void greet_bound(const std::string& name) {
    core->greeted(name, {.incarnation = replica::Incarnation(1), .pool = name, .version = "1.0", .bound = attended[name]}, now);
    core->reported(name, reports[name], now);
  }
  static NodeReply obey(const NodeCall& call) {
    if (const auto* fence = std::get_if<FenceReplica>(&call.what))
      return replica::NewTermAnswer{.term = fence->term.term, .head = {}};
    if (std::holds_alternative<replica::BecomeLeader>(call.what)) return LeadershipTaken{};
    if (std::holds_alternative<replica::ChangeMembers>(call.what)) return MembersTaken{.confirmed = true};
    return ReplicaDeleted{};
  }
  std::string name_of(NodeId node) const { return core->status().nodes.at(node).name; }

  TimePoint now{10s};
  std::unique_ptr<CoordinatorCore> core;
  std::map<std::string, NodeId> attended;
  std::map<std::string, NodeReport> reports;
};

TEST_F(ViewTest, shows_nodes_namespaces_and_shards_of_a_cluster_that_has_come_up) {
  start(3);
  pass(2s);
  const v1::Cluster cluster = cluster_view(*core);
  EXPECT_EQ(cluster.instance(), "reef");
  EXPECT_TRUE(cluster.configured());
  ASSERT_EQ(cluster.nodes_size(), 3);
  EXPECT_EQ(cluster.nodes(0).name(), "n1");
  EXPECT_EQ(cluster.nodes(0).public_(), "n1:1");
  EXPECT_EQ(cluster.nodes(0).version(), "1.0");
  EXPECT_EQ(cluster.nodes(0).condition(), v1::ClusterNode::SERVING);
  EXPECT_EQ(cluster.nodes(0).replicas(), 2u);
  ASSERT_EQ(cluster.namespaces_size(), 1);
  EXPECT_EQ(cluster.namespaces(0).shards(), 2u);
  EXPECT_EQ(cluster.namespaces(0).why_missing(), "");
  ASSERT_EQ(cluster.shards_size(), 2);
  for (const v1::ClusterShard& shard : cluster.shards()) {
    EXPECT_EQ(shard.state(), v1::ClusterShard::STEADY);
    EXPECT_TRUE(shard.has_leader());
    EXPECT_EQ(shard.replicas_size(), 3);
  }
}

TEST_F(ViewTest, shows_how_far_followers_are_behind_as_their_leader_tells) {
  start(3);
  pass(2s);
  const ShardId shard{0};
  const NodeId leader = *core->status().shards.at(shard).leader;
  const auto others = core->status().shards.at(shard).members.members();
  const NodeId follower = *std::ranges::find_if(others, [&](NodeId each) { return each != leader; });
  ReplicaReport report;
  report.shard = shard;
  report.role = ReplicaReport::Role::leader;
  report.term = core->status().shards.at(shard).term;
  report.version = core->status().shards.at(shard).members.version;
  report.serving = true;
  report.head = report.commit = Offset(100);
  report.writes = 7;
  report.followers = {{.node = follower, .matched = Offset(90), .streaming = true}};
  NodeReport said;
  said.replicas = {report};
  said.usage = NodeUsage{.writes_per_second = 3};
  core->reported(name_of(leader), said, now);
  settle();
  const v1::Cluster cluster = cluster_view(*core);
  const v1::ClusterShard& shown = cluster.shards(0);
  EXPECT_TRUE(shown.serving());
  EXPECT_EQ(shown.head(), 100);
  EXPECT_EQ(shown.writes(), 7u);
  const auto found = std::ranges::find(shown.replicas(), follower.value(), &v1::ClusterReplica::node);
  ASSERT_NE(found, shown.replicas().end());
  EXPECT_EQ(found->lag(), 10u);
  EXPECT_TRUE(found->streaming());
  const auto& led = *std::ranges::find(cluster.nodes(), leader.value(), &v1::ClusterNode::node);
  EXPECT_EQ(led.usage().writes_per_second(), 3);
  EXPECT_EQ(std::ranges::count(led.led_shards(), shard.value()), 1);
  const v1::Cluster nodes = nodes_view(*core);
  const auto& follows = *std::ranges::find(nodes.nodes(), follower.value(), &v1::ClusterNode::node);
  EXPECT_EQ(std::ranges::count(follows.held_shards(), shard.value()), 1);
  EXPECT_EQ(std::ranges::count(follows.led_shards(), shard.value()), 0);
}

TEST_F(ViewTest, tells_why_what_is_configured_is_not_there) {
  core = *CoordinatorCore::take_office({.epoch = 1, .items = {}}, {.fresh_instance = "reef"}, now);
  EXPECT_FALSE(cluster_view(*core).configured());
  ASSERT_TRUE(core->configured(config(3), now));
  const v1::Cluster cluster = cluster_view(*core);   // no server has been heard
  ASSERT_EQ(cluster.namespaces_size(), 1);
  EXPECT_EQ(cluster.namespaces(0).name(), "default");
  EXPECT_NE(cluster.namespaces(0).why_missing(), "");
}

TEST_F(ViewTest, tells_what_keeps_a_node_from_being_drained) {
  start(4);
  pass(2s);
  const NodeId node = core->status().shards.at(ShardId(0)).members.voters.front();
  const auto find = [&] {
    const v1::Cluster cluster = cluster_view(*core);
    return *std::ranges::find(cluster.nodes(), node.value(), &v1::ClusterNode::node);
  };
  EXPECT_FALSE(find().draining());
  EXPECT_EQ(find().why_not_drained(), "");
  ASSERT_TRUE(core->drain(node, now));
  EXPECT_TRUE(find().draining());
  EXPECT_NE(find().why_not_drained(), "");
}

}  // namespace
}  // namespace skerry::control
