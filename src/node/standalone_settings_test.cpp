// SPDX-License-Identifier: Apache-2.0
#include "node/standalone_settings.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace skerry::node {
namespace {

Result<StandaloneOptions> from_yaml(const std::string& text) {
  StandaloneSettings standalone;
  TRYV(standalone.settings().load({.file_name = "conf.yaml", .file_text = text, .environment = {}}));
  return standalone.options();
}

TEST(StandaloneSettings, defaults_bind_to_loopback_and_leave_the_folder_its_say) {
  const auto options = from_yaml("");
  ASSERT_TRUE(options.has_value()) << options.error().message();
  EXPECT_EQ(options->public_address.text(), "127.0.0.1:6648");
  EXPECT_EQ(options->admin_address->text(), "127.0.0.1:8080");
  EXPECT_FALSE(options->namespaces[0].shards.has_value());
  EXPECT_EQ(options->storage.node.log.durable, disk::Durable::yes);
}

TEST(StandaloneSettings, what_is_said_is_asked_of_the_folder) {
  const auto options =
      from_yaml("shards: 4\nkey-sorting: natural\nnamespaces: [\"logs:2:hierarchical\", \"jobs\"]\nmetrics: {address: none}\n");
  ASSERT_TRUE(options.has_value()) << options.error().message();
  EXPECT_EQ(options->namespaces[0].shards, 4U);
  EXPECT_EQ(options->namespaces[0].order, store::KeyOrder::natural);
  EXPECT_EQ(options->namespaces[1].name, "logs");
  EXPECT_EQ(options->namespaces[1].shards, 2U);
  EXPECT_FALSE(options->namespaces[2].shards.has_value());
  EXPECT_FALSE(options->admin_address.has_value());
}

TEST(StandaloneSettings, malformed_namespaces_name_what_is_expected) {
  for (const char* bad : {"logs:x", "logs:0", "logs:9999", "logs:1:sideways", "-logs", "default:2"}) {
    EXPECT_FALSE(from_yaml(std::string("namespaces: [\"") + bad + "\"]\n").has_value()) << bad;
  }
  EXPECT_EQ(
      parse_namespace("logs:x").error().text,
      "namespace \"logs:x\": its number of shards is no number; expected NAME, NAME:SHARDS or NAME:SHARDS:hierarchical|natural");
}

TEST(StandaloneSettings, an_unknown_key_names_the_nearest) {
  const auto refused = from_yaml("shard: 4\n");
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().text.find("shards"), std::string::npos) << refused.error().text;
}

TEST(StandaloneSettings, one_port_for_two_servers_is_refused_with_both_flags) {
  const auto with = [](const char* public_address, const char* metrics_address) {
    return from_yaml(fmt::format("public: {{address: \"{}\"}}\nmetrics: {{address: \"{}\"}}\n", public_address, metrics_address));
  };
  for (const auto& [one, other] : {std::pair("127.0.0.1:7001", "127.0.0.1:7001"),
                                   {"localhost:7001", "127.0.0.1:7001"},
                                   {":7001", "127.0.0.1:7001"},
                                   {"[::1]:7001", "0.0.0.0:7001"}}) {
    const auto refused = with(one, other);
    ASSERT_FALSE(refused) << one << " " << other;
    EXPECT_NE(refused.error().text.find("--public-addr"), std::string::npos);
    EXPECT_NE(refused.error().text.find("--metrics-addr"), std::string::npos);
  }
  EXPECT_TRUE(with("127.0.0.1:7001", "127.0.0.2:7001"));
  EXPECT_TRUE(with("127.0.0.1:0", "127.0.0.1:0"));
  EXPECT_TRUE(with("127.0.0.1:7001", "none"));
}

}  // namespace
}  // namespace skerry::node
