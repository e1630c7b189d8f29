// SPDX-License-Identifier: Apache-2.0
#include "control/cluster_config.hpp"

#include <gtest/gtest.h>

#include "base/limits.hpp"

namespace skerry::control {
namespace {

constexpr const char* everything = R"(
namespaces:
  - name: default
    initialShardCount: 4
    replicationFactor: 3
  - name: bookkeeper.v1
    initialShardCount: 2
    replicationFactor: 2
    notificationsEnabled: false
    keySorting: natural
    antiAffinities:
      - labels: [zone]
        mode: strict
      - labels: ["rack", "host"]
        mode: relaxed
servers:
  - name: one
    public: one.example:6648
    internal: one.example:6649
  - public: two.example:6648
    internal: two.example:6649
  - name: three
    public: "[::1]:6648"
    internal: "[::1]:6649"
allowExtraAuthorities:
  - edge.example:6648
serverMetadata:
  one: {labels: {zone: a, rack: r1, host: h1}}
  two.example:6649: {labels: {zone: b}}
loadBalancer:
  scheduleInterval: 10s
  quarantineTime: 1m30s
coordinators:
  - name: c1
    publicAddress: one.example:6651
autoSplit:
  enabled: true
  maxShardSizeMb: 512
  stabilizationPeriod: 2m
)";

std::string refusal(const std::string& yaml) {
  const auto config = ClusterConfig::from_yaml(yaml);
  if (config) return "accepted";
  EXPECT_EQ(config.error(), Errc::invalid_argument);
  return config.error().text;
}

void expect_refusal(const std::string& yaml, const std::vector<std::string>& parts) {
  const std::string text = refusal(yaml);
  for (const std::string& part : parts) EXPECT_NE(text.find(part), std::string::npos) << text << "\nlacks: " << part;
}

std::string servers(int count) {
  std::string yaml = "servers:\n";
  for (int i = 1; i <= count; ++i) {
    const std::string host = "h" + std::to_string(i);
    yaml += "  - {name: " + host + ", public: '" + host + ":1', internal: '" + host + ":2'}\n";
  }
  return yaml;
}

TEST(ClusterConfig, reads_all_that_oxia_has) {
  const auto config = ClusterConfig::from_yaml(everything);
  ASSERT_TRUE(config) << config.error().text;
  ASSERT_EQ(config->namespaces.size(), 2u);
  const NamespaceConfig expected_default{.name = "default", .shards = 4, .replicas = 3};
  EXPECT_EQ(config->namespaces[0], expected_default);
  const NamespaceConfig& second = config->namespaces[1];
  EXPECT_EQ(second.name, "bookkeeper.v1");
  EXPECT_FALSE(second.notifications);
  EXPECT_EQ(second.order, store::KeyOrder::natural);
  ASSERT_EQ(second.anti_affinities.size(), 2u);
  EXPECT_EQ(second.anti_affinities[0], (AntiAffinity{{"zone"}, AntiAffinity::Mode::strict}));
  EXPECT_EQ(second.anti_affinities[1], (AntiAffinity{{"rack", "host"}, AntiAffinity::Mode::relaxed}));
  ASSERT_EQ(config->servers.size(), 3u);
  EXPECT_EQ(config->servers[1].identity(), "two.example:6649");
  EXPECT_EQ(config->extra_authorities, std::vector<std::string>{"edge.example:6648"});
  EXPECT_EQ(config->labels_of("one").at("rack"), "r1");
  EXPECT_TRUE(config->labels_of("three").empty());
  EXPECT_EQ(config->balancer.interval, 10s);
  EXPECT_EQ(config->balancer.quarantine, 90s);
  ASSERT_EQ(config->coordinators.size(), 1u);
  EXPECT_EQ(config->coordinators[0].public_address, "one.example:6651");
  EXPECT_TRUE(config->auto_split.enabled);
  EXPECT_EQ(config->auto_split.shard_mebibytes_max, 512u);
  EXPECT_EQ(config->auto_split.stable, 2min);
  EXPECT_EQ(config->auto_split.shard_operations_max, 10'000u);
}

TEST(ClusterConfig, reads_back_what_it_writes) {
  const auto config = ClusterConfig::from_yaml(everything);
  ASSERT_TRUE(config);
  const auto again = ClusterConfig::from_yaml(config->to_yaml());
  ASSERT_TRUE(again) << again.error().text << "\n" << config->to_yaml();
  EXPECT_EQ(*again, *config);
}

TEST(ClusterConfig, names_the_line_of_a_field_that_it_does_not_know) {
  expect_refusal("servers: []\nnamespaces:\n  - name: a\n    replicationFaktor: 1\n",
                 {"line 4", "namespace \"a\"", "\"replicationFaktor\"", "did you mean replicationFactor?"});
  expect_refusal("server: []\n", {"line 1", "\"server\"", "did you mean servers?"});
  expect_refusal("loadBalancer:\n  interval: 1s\n", {"line 2", "loadBalancer", "\"interval\""});
}

TEST(ClusterConfig, refuses_values_that_mean_nothing) {
  expect_refusal("namespaces:\n  - name: a\n    initialShardCount: many\n",
                 {"line 3", "\"initialShardCount\"", "\"many\"", "1 to 4096"});
  expect_refusal("namespaces:\n  - name: a\n    keySorting: naturl\n", {"line 3", "did you mean natural?"});
  expect_refusal("namespaces:\n  - name: a\n    notificationsEnabled: yes\n", {"line 3", "true or false"});
  expect_refusal("namespaces:\n  - name: a/b\n", {"line 2", "\"a/b\"", "is not a namespace name"});
  expect_refusal("namespaces:\n  - name: a..b\n", {"line 2", "leave out \"..\""});
  expect_refusal("namespaces:\n  - initialShardCount: 1\n", {"line 2", "needs \"name\""});
  expect_refusal("loadBalancer:\n  scheduleInterval: 30\n", {"line 2", "\"30\"", "its unit"});
  expect_refusal("loadBalancer:\n  scheduleInterval: 0s\n", {"line 2", "above nothing"});
  expect_refusal("autoSplit:\n  cooldownPeriod: soon\n", {"line 2", "\"soon\""});
  expect_refusal("servers:\n  - name: a\n    public: nowhere\n    internal: b:1\n", {"line 3", "\"public\"", "has no port"});
  expect_refusal("servers:\n  - name: a\n    public: :1\n    internal: b:1\n", {"line 3", "others can't reach that"});
  expect_refusal("servers:\n  - name: a\n    public: b:1\n", {"line 2", "server \"a\"", "needs \"internal\""});
  expect_refusal("namespaces:\n  - name: a\n    antiAffinities:\n      - labels: [zone]\n        mode: strikt\n",
                 {"line 5", "did you mean strict?"});
  expect_refusal("namespaces: none\n", {"line 1", "must be a list"});
  expect_refusal("serverMetadata: [a]\n", {"line 1", "must be a map"});
  expect_refusal("servers:\n  - name: [a]\n    public: a:1\n    internal: a:2\n", {"line 2", "must be a text"});
}

TEST(ClusterConfig, refuses_what_is_no_yaml) {
  expect_refusal("namespaces: [\n", {"line "});
  expect_refusal("", {"is empty"});
  expect_refusal("servers:\n  - {name: a, name: b, public: 'a:1', internal: 'a:2'}\n", {"line 2", "twice"});
}

TEST(ClusterConfig, refuses_what_contradicts_itself) {
  expect_refusal(servers(2) + "namespaces:\n  - {name: a, replicationFactor: 3}\n",
                 {"\"a\" wants 3 replicas", "there are 2 servers"});
  expect_refusal(servers(1) + "namespaces:\n  - {name: a}\n  - {name: a}\n", {"two namespaces are called \"a\""});
  expect_refusal("servers:\n  - {name: a, public: 'a:1', internal: 'a:2'}\n  - {name: a, public: 'b:1', internal: 'b:2'}\n",
                 {"two servers are called \"a\""});
  expect_refusal("servers:\n  - {name: a, public: 'a:1', internal: 'a:2'}\n  - {name: b, public: 'b:1', internal: 'a:2'}\n",
                 {"a:2", "\"b\"", "twice"});
  expect_refusal("servers:\n  - {name: a, public: 'a:1', internal: 'a:1'}\n", {"a:1", "twice"});
  expect_refusal(servers(1) + "serverMetadata:\n  h2: {labels: {zone: a}}\n", {"\"h2\"", "not a server", "did you mean h1?"});
  expect_refusal(
      servers(1) + "serverMetadata:\n  h1: {labels: {zone: a}}\nnamespaces:\n  - {name: a, antiAffinities: [{labels: [zon]}]}\n",
      {"\"zon\"", "no server has", "did you mean zone?"});
  expect_refusal(servers(1) + "coordinators:\n  - {name: c, publicAddress: 'a:3'}\n  - {name: c, publicAddress: 'a:4'}\n",
                 {"two coordinators are called \"c\""});
}

TEST(ClusterConfig, takes_as_many_replicas_as_there_are_servers_and_no_more) {
  EXPECT_EQ(refusal(servers(15) + "namespaces:\n  - {name: a, replicationFactor: 15}\n"), "accepted");
  expect_refusal(servers(16) + "namespaces:\n  - {name: a, replicationFactor: 16}\n", {"1 to 15"});
  EXPECT_EQ(refusal(servers(1) + "namespaces:\n  - {name: a, initialShardCount: 4096}\n"), "accepted");
  expect_refusal(servers(1) + "namespaces:\n  - {name: a, initialShardCount: 4097}\n", {"1 to 4096"});
  expect_refusal(servers(1) + "namespaces:\n  - {name: a, initialShardCount: 0}\n", {"1 to 4096"});
}

TEST(ClusterConfig, takes_only_so_many_servers_and_namespaces) {
  EXPECT_EQ(refusal(servers(limits::cluster_servers_max)), "accepted");
  expect_refusal(servers(limits::cluster_servers_max + 1), {"1001 servers are more than 1000"});
  std::string namespaces = "namespaces:\n";
  for (std::size_t i = 0; i < limits::cluster_namespaces_max; ++i) namespaces += "  - {name: n" + std::to_string(i) + "}\n";
  EXPECT_EQ(refusal(servers(1) + namespaces), "accepted");
  expect_refusal(servers(1) + namespaces + "  - {name: more}\n", {"1001 namespaces are more than 1000"});
}

class Changes : public testing::Test {
 protected:
  void SetUp() override {
    auto read = ClusterConfig::from_yaml(servers(3) + "namespaces:\n  - {name: a, replicationFactor: 3, initialShardCount: 2}\n");
    ASSERT_TRUE(read) << read.error().text;
    config = *std::move(read);
  }
  ClusterConfig config;
};

TEST_F(Changes, add_change_and_remove_namespaces) {
  EXPECT_TRUE(config.add(NamespaceConfig{.name = "b"}));
  EXPECT_EQ(config.add(NamespaceConfig{.name = "b"}).error(), Errc::already_exists);
  EXPECT_TRUE(config.replace(NamespaceConfig{.name = "b", .replicas = 2}));
  EXPECT_EQ(config.find_namespace("b")->replicas, 2u);
  EXPECT_EQ(config.replace(NamespaceConfig{.name = "b", .shards = 2}).error(), Errc::invalid_argument);
  EXPECT_EQ(config.replace(NamespaceConfig{.name = "c"}).error(), Errc::not_found);
  EXPECT_TRUE(config.remove_namespace("b"));
  EXPECT_EQ(config.remove_namespace("b").error(), Errc::not_found);
}

TEST_F(Changes, leave_all_as_it_was_when_the_whole_would_be_wrong) {
  const ClusterConfig before = config;
  EXPECT_EQ(config.add(NamespaceConfig{.name = "b", .replicas = 4}).error(), Errc::invalid_argument);
  EXPECT_EQ(config.remove_server("h3").error(), Errc::invalid_argument);
  EXPECT_EQ(config.add(ServerConfig{.name = "h4", .public_address = "h1:1", .internal_address = "h4:2"}, {}).error(),
            Errc::invalid_argument);
  EXPECT_EQ(config, before);
}

TEST_F(Changes, add_change_and_remove_servers) {
  EXPECT_TRUE(config.add(ServerConfig{.name = "h4", .public_address = "h4:1", .internal_address = "h4:2"}, {{"zone", "a"}}));
  EXPECT_EQ(config.labels_of("h4").at("zone"), "a");
  EXPECT_TRUE(config.replace(ServerConfig{.name = "h4", .public_address = "h5:1", .internal_address = "h5:2"}, {}));
  EXPECT_EQ(config.find_server("h4")->public_address, "h5:1");
  EXPECT_TRUE(config.labels_of("h4").empty());
  EXPECT_TRUE(config.remove_server("h4"));
  EXPECT_EQ(config.remove_server("h4").error(), Errc::not_found);
}

TEST(NamespaceName, follows_the_published_rule) {
  EXPECT_TRUE(check_namespace_name("default"));
  EXPECT_TRUE(check_namespace_name("9.a_b-c"));
  for (const char* bad : {"", "-a", "a/b", "a..b", "ä"}) EXPECT_FALSE(check_namespace_name(bad)) << bad;
}

}  // namespace
}  // namespace skerry::control
