// SPDX-License-Identifier: Apache-2.0
#include "control/placement.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skerry::control {
namespace {

using testing::HasSubstr;

NodeId node(std::uint32_t id) { return NodeId(id); }

std::vector<NodeId> nodes_of(std::initializer_list<std::uint32_t> ids) {
  std::vector<NodeId> nodes;
  for (const std::uint32_t id : ids) nodes.emplace_back(id);
  return nodes;
}

class Placement : public testing::Test {
 protected:
  // A process each, equally empty.
  void have(std::uint32_t count) {
    for (std::uint32_t id = 1; id <= count; ++id) {
      around[node(id)] = {.node = node(id), .name = "n" + std::to_string(id), .pool = "p" + std::to_string(id)};
    }
  }
  void label(std::uint32_t id, const std::string& name, const std::string& value) { around[node(id)].labels[name] = value; }
  std::vector<NodeId> chosen(std::vector<NodeId> current = {}) {
    const auto voters = choose_voters(current, around, rules);
    EXPECT_TRUE(voters) << voters.error().text;
    return voters.value_or(std::vector<NodeId>{});
  }
  std::string refusal() {
    const auto voters = choose_voters({}, around, rules);
    if (voters) return "chosen";
    EXPECT_EQ(voters.error(), Errc::unavailable);
    return voters.error().text;
  }

  PlacementNodes around;
  PlacementRules rules{.replicas = 3};
};

TEST_F(Placement, takes_the_emptiest_nodes) {
  have(5);
  around[node(1)].load = 9;
  around[node(3)].load = 4;
  EXPECT_EQ(chosen(), nodes_of({2, 4, 5}));
}

TEST_F(Placement, never_puts_two_replicas_into_one_process) {
  have(4);
  around[node(2)].pool = around[node(1)].pool;
  EXPECT_EQ(chosen(), nodes_of({1, 3, 4}));
  around[node(3)].pool = around[node(1)].pool;
  EXPECT_THAT(refusal(), HasSubstr("not as many processes"));
  EXPECT_THAT(why_misplaced(nodes_of({1, 2, 4}), around, rules), HasSubstr("n1 and n2 are one process"));
}

TEST_F(Placement, keeps_strict_rules_or_refuses) {
  have(4);
  for (const std::uint32_t id : {1u, 2u}) label(id, "zone", "a");
  label(3, "zone", "b");
  label(4, "zone", "c");
  rules.anti_affinities = {{{"zone"}, AntiAffinity::Mode::strict}};
  EXPECT_EQ(chosen(), nodes_of({1, 3, 4}));
  EXPECT_THAT(why_misplaced(nodes_of({1, 2, 3}), around, rules), HasSubstr("strict anti-affinity keeps n1 and n2 apart"));
  label(4, "zone", "b");
  EXPECT_THAT(refusal(), HasSubstr("strict anti-affinity (zone)"));
}

TEST_F(Placement, takes_a_missing_label_for_one_more_value) {
  have(3);
  label(1, "zone", "a");
  rules.anti_affinities = {{{"zone"}, AntiAffinity::Mode::strict}};
  rules.replicas = 2;
  EXPECT_EQ(chosen(), nodes_of({1, 2}));
  rules.replicas = 3;
  EXPECT_THAT(refusal(), HasSubstr("zone"));
}

TEST_F(Placement, keeps_relaxed_rules_where_it_can) {
  have(5);
  for (const std::uint32_t id : {1u, 2u, 3u}) label(id, "zone", "a");
  label(4, "zone", "b");
  label(5, "zone", "c");
  around[node(4)].load = 100;
  around[node(5)].load = 100;
  rules.anti_affinities = {{{"zone"}, AntiAffinity::Mode::relaxed}};
  EXPECT_EQ(chosen(), nodes_of({1, 4, 5}));
  rules.replicas = 4;
  EXPECT_EQ(chosen().size(), 4u);
  EXPECT_EQ(why_misplaced(nodes_of({1, 2, 3, 4}), around, rules), "");
}

// Zone and rack cross: whoever takes the emptiest first has no third.
TEST_F(Placement, looks_back_when_the_first_choice_leads_nowhere) {
  have(4);
  label(1, "zone", "a"), label(1, "rack", "1");
  label(2, "zone", "a"), label(2, "rack", "2");
  label(3, "zone", "b"), label(3, "rack", "1");
  label(4, "zone", "c"), label(4, "rack", "3");
  rules.anti_affinities = {{{"zone", "rack"}, AntiAffinity::Mode::strict}};
  EXPECT_EQ(chosen(), nodes_of({2, 3, 4}));
}

TEST_F(Placement, keeps_those_that_are_there) {
  have(5);
  for (const std::uint32_t id : {1u, 2u, 3u}) around[node(id)].load = 50;
  EXPECT_EQ(chosen(nodes_of({1, 2, 3})), nodes_of({1, 2, 3}));
  around[node(2)].takes_replicas = false;
  EXPECT_EQ(chosen(nodes_of({1, 2, 3})), nodes_of({1, 3, 4}));
  rules.replicas = 1;
  EXPECT_EQ(chosen(nodes_of({3, 1})), nodes_of({3}));
  rules.replicas = 4;
  EXPECT_EQ(chosen(nodes_of({1, 2, 3})), nodes_of({1, 3, 4, 5}));
}

TEST_F(Placement, says_when_there_are_too_few) {
  have(3);
  around[node(1)].takes_replicas = false;
  EXPECT_THAT(refusal(), HasSubstr("3 replicas are wanted, and 2 servers take any"));
  EXPECT_THAT(why_misplaced(nodes_of({1, 2, 3}), around, rules), HasSubstr("n1 takes no replicas"));
  EXPECT_THAT(why_misplaced(nodes_of({2, 3}), around, rules), HasSubstr("2 replicas instead of 3"));
  EXPECT_THAT(why_misplaced(nodes_of({2, 3, 9}), around, rules), HasSubstr("node 9 is gone"));
}

// A hundred nodes, two labels: found at once.
TEST_F(Placement, finds_its_way_among_many) {
  have(100);
  for (std::uint32_t id = 1; id <= 100; ++id) {
    label(id, "zone", std::to_string(id % 5));
    label(id, "rack", std::to_string(id % 20));
  }
  rules.anti_affinities = {{{"zone"}, AntiAffinity::Mode::strict}, {{"rack"}, AntiAffinity::Mode::relaxed}};
  rules.replicas = 5;
  EXPECT_EQ(chosen().size(), 5u);
}

class Balance : public Placement {
 protected:
  void hold(std::int64_t shard, std::initializer_list<std::uint32_t> voters, std::uint32_t leader, double load = 1) {
    shards.push_back(
        {.shard = ShardId(shard), .voters = nodes_of(voters), .leader = node(leader), .load = load, .rules = &rules});
    for (const std::uint32_t id : voters) around[node(id)].load += load;
    around[node(leader)].leader_load += 1;
  }
  std::vector<PlacedShard> shards;
};

TEST_F(Balance, moves_from_the_fullest_to_the_emptiest) {
  have(4);
  for (int shard = 0; shard < 4; ++shard) hold(shard, {1, 2, 3}, 1);
  const auto step = propose_move(shards, around);
  ASSERT_TRUE(step);
  EXPECT_EQ(step->to, node(4));
}

TEST_F(Balance, moves_nothing_for_a_small_gain) {
  have(3);
  rules.replicas = 2;
  hold(0, {1, 2}, 1);
  hold(1, {2, 3}, 2);
  EXPECT_FALSE(propose_move(shards, around));   // 1, 2, 1: a move would only turn it round
  hold(2, {1, 2}, 1, 0.4);
  EXPECT_FALSE(propose_move(shards, around));
}

TEST_F(Balance, breaks_no_rule_for_the_load) {
  have(4);
  around[node(4)].pool = around[node(1)].pool;
  for (int shard = 0; shard < 4; ++shard) hold(shard, {1, 2, 3}, 1);
  const auto step = propose_move(shards, around);
  ASSERT_TRUE(step);
  EXPECT_EQ(step->from, node(1));
  EXPECT_EQ(step->to, node(4));
  for (std::uint32_t id = 1; id <= 4; ++id) label(id, "zone", id == 1 ? "a" : id == 4 ? "b" : std::to_string(id));
  label(4, "zone", "2");
  rules.anti_affinities = {{{"zone"}, AntiAffinity::Mode::relaxed}};
  EXPECT_FALSE(propose_move(shards, around)) << "a relaxed rule that holds would be broken";
}

TEST_F(Balance, evens_out_leaders_among_voters) {
  have(3);
  for (int shard = 0; shard < 4; ++shard) hold(shard, {1, 2, 3}, 1);
  const auto step = propose_transfer(shards, around);
  ASSERT_TRUE(step);
  EXPECT_EQ(step->from, node(1));
  around[node(2)].takes_leaders = false;
  EXPECT_EQ(propose_transfer(shards, around)->to, node(3));
  shards.clear();
  for (auto& [id, each] : around) each.leader_load = 0;
  hold(0, {1, 2, 3}, 1);
  hold(1, {1, 2, 3}, 1);
  hold(2, {1, 2, 3}, 3);
  around[node(2)].leader_load = 1;
  EXPECT_FALSE(propose_transfer(shards, around)) << "2, 1, 1 is even enough";
}

TEST_F(Balance, takes_leaders_from_a_node_that_is_drained) {
  have(3);
  hold(0, {1, 2, 3}, 1);
  around[node(1)].takes_replicas = around[node(1)].takes_leaders = false;
  around[node(2)].leader_load = 5;
  const auto step = propose_transfer(shards, around);
  ASSERT_TRUE(step);
  EXPECT_EQ(step->to, node(3));
}

}  // namespace
}  // namespace skerry::control
