// SPDX-License-Identifier: Apache-2.0
#include "node/cli_cluster_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "node/cli_cluster_control.hpp"

namespace skerry::node {
namespace {

using testing::HasSubstr;

TEST(ClusterPlan, gives_everybody_ports_of_its_own) {
  const auto plan = ClusterPlan::make({.nodes = 5});
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->members.size(), 6u);
  std::set<std::uint16_t> ports;
  std::size_t count = 0;
  for (const auto& each : plan->members) {
    for (const net::Address& address : {each.public_address, each.internal_address, each.metrics_address}) {
      ports.insert(address.port);
      ++count;
    }
    if (each.number == 0) continue;
    ports.insert(each.link.port);
    ++count;
  }
  EXPECT_EQ(ports.size(), count);
  EXPECT_EQ(plan->members[1].public_address.port, 6648);
  EXPECT_EQ(plan->coordinator().public_address.port, 6651);
}

TEST(ClusterPlan, names_the_links_and_not_the_nodes_own_internal_addresses) {
  const auto plan = ClusterPlan::make({.nodes = 2, .shards = 7});
  ASSERT_TRUE(plan);
  const std::string yaml = plan->config_yaml();
  EXPECT_THAT(yaml, HasSubstr("initialShardCount: 7, replicationFactor: 2"));
  EXPECT_THAT(yaml, HasSubstr(plan->members[2].link.text()));
  EXPECT_THAT(yaml, testing::Not(HasSubstr(plan->members[2].internal_address.text())));
  EXPECT_EQ(plan->made_with(), "--nodes 2 --base-port 6648");
}

TEST(ClusterPlan, refuses_what_can_not_be_and_says_what_can) {
  const auto refusal = [](ClusterUpOptions options) {
    const auto plan = ClusterPlan::make(std::move(options));
    return plan ? "" : plan.error().message();
  };
  EXPECT_EQ(refusal({.nodes = 32}), "");
  EXPECT_THAT(refusal({.nodes = 33}), HasSubstr("1 to 32"));
  EXPECT_THAT(refusal({.nodes = 0}), HasSubstr("1 to 32"));
  EXPECT_THAT(refusal({.shards = 0}), HasSubstr("--shards"));
  EXPECT_THAT(refusal({.nodes = 2, .replicas = 3}), HasSubstr("--nodes"));
  EXPECT_EQ(refusal({.nodes = 3, .base_port = 65505}), "");
  EXPECT_THAT(refusal({.nodes = 3, .base_port = 65506}), HasSubstr("--base-port"));
}

TEST(ClusterPlan, finds_members_by_number_and_name) {
  const auto plan = ClusterPlan::make({.nodes = 3});
  EXPECT_EQ(plan->find("2"), 2u);
  EXPECT_EQ(plan->find("node-3"), 3u);
  EXPECT_EQ(plan->find("coordinator"), 0u);
  EXPECT_EQ(plan->find("0").error(), Errc::not_found);
  EXPECT_THAT(plan->find("coordinater").error().message(), HasSubstr("did you mean coordinator?"));
}

TEST(ControlRequest, survives_its_line) {
  for (const ControlRequest& each :
       {ControlRequest{ControlRequest::Word::kill, "2", ControlRequest::Direction::both, {}},
        ControlRequest{ControlRequest::Word::heal, "", ControlRequest::Direction::both, {}},
        ControlRequest{ControlRequest::Word::partition, "node-1", ControlRequest::Direction::out, {"3", "coordinator"}}}) {
    const auto read = ControlRequest::from_line(each.to_line());
    ASSERT_TRUE(read) << each.to_line();
    EXPECT_EQ(*read, each);
  }
  EXPECT_EQ(ControlRequest::from_line("explode 2 both").error(), Errc::invalid_argument);
  EXPECT_EQ(ControlRequest::from_line("").error(), Errc::invalid_argument);
}

}  // namespace
}  // namespace skerry::node
