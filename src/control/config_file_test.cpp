// SPDX-License-Identifier: Apache-2.0
#include "control/config_file.hpp"

#include <gtest/gtest.h>

#include "base/hash.hpp"

namespace skerry::control {
namespace {

using Keeper = ConfigFile::Keeper;
using Office = ConfigFile::Office;

ClusterConfig config_of(const std::string& name_space) {
  ClusterConfig config;
  config.servers = {{.name = "one", .public_address = "one:1", .internal_address = "one:2"}};
  config.namespaces = {{.name = name_space}};
  return config;
}
const ClusterConfig red = config_of("red"), blue = config_of("blue");
std::optional<ConfigFile::Stored> kept(const ClusterConfig& config, std::vector<ClusterConfig> former = {}) {
  ConfigFile::Stored stored{config, {}};
  for (const ClusterConfig& each : former) stored.former.push_back(fingerprint(each.to_yaml()));
  return stored;
}

std::string text(const ConfigFile::Step& step) {
  if (const auto* take = std::get_if<ConfigFile::Take>(&step)) return "take " + take->config.namespaces.front().name;
  if (const auto* write = std::get_if<ConfigFile::Write>(&step)) return "write " + write->config.namespaces.front().name;
  return std::holds_alternative<ConfigFile::Tell>(step) ? "tell" : "nothing";
}

TEST(ConfigFileTest, seeds_a_cluster_that_has_no_configuration_and_only_in_office) {
  for (const Keeper keeper : {Keeper::alone, Keeper::several}) {
    ConfigFile file(keeper);
    file.read(red);
    EXPECT_EQ(text(file.next(std::nullopt, Office::out)), "nothing");
    file.entered_office();
    EXPECT_EQ(text(file.next(std::nullopt, Office::in)), "take red");
    EXPECT_EQ(text(file.next(std::nullopt, Office::in)), "nothing");   // it is on its way
    EXPECT_EQ(text(file.next(kept(red), Office::in)), "nothing");
  }
}

TEST(ConfigFileTest, is_taken_when_it_is_saved_in_office) {
  ConfigFile file(Keeper::several);
  file.read(red);
  EXPECT_EQ(text(file.next(kept(red), Office::in)), "nothing");
  file.read(blue);
  EXPECT_EQ(text(file.next(kept(red), Office::in)), "take blue");
  EXPECT_EQ(text(file.next(kept(blue), Office::in)), "nothing");
}

TEST(ConfigFileTest, is_told_of_once_and_left_alone_when_it_is_saved_out_of_office) {
  ConfigFile file(Keeper::several);
  file.read(red);
  EXPECT_EQ(text(file.next(kept(red), Office::out)), "nothing");
  file.read(blue);
  EXPECT_EQ(text(file.next(kept(red), Office::out)), "tell");
  EXPECT_EQ(text(file.next(kept(red), Office::out)), "nothing");
  file.entered_office();
  EXPECT_EQ(text(file.next(kept(red), Office::in)), "tell");
  file.read(blue);   // saved again
  EXPECT_EQ(text(file.next(kept(red), Office::in)), "take blue");
}

TEST(ConfigFileTest, follows_the_configuration_until_somebody_touches_it) {
  ConfigFile file(Keeper::several);
  file.read(red);
  EXPECT_EQ(text(file.next(kept(red), Office::out)), "nothing");
  EXPECT_EQ(text(file.next(kept(blue), Office::out)), "write blue");
  file.wrote(blue);
  file.read(blue);   // as its watcher sees what was written
  EXPECT_EQ(text(file.next(kept(blue), Office::out)), "nothing");
  EXPECT_EQ(text(file.next(kept(red), Office::out)), "write red");
  file.wrote(red);
  file.read(config_of("green"));
  EXPECT_EQ(text(file.next(kept(blue), Office::out)), "tell");
}

TEST(ConfigFileTest, that_could_not_be_written_is_not_written_again_and_counts_for_nothing) {
  ConfigFile file(Keeper::alone);
  file.read(red);
  file.entered_office();
  EXPECT_EQ(text(file.next(kept(red), Office::in)), "nothing");
  EXPECT_EQ(text(file.next(kept(blue), Office::in)), "write blue");
  EXPECT_EQ(text(file.next(kept(blue), Office::in)), "tell");
  EXPECT_EQ(text(file.next(kept(blue), Office::in)), "nothing");
}

TEST(ConfigFileTest, that_differs_at_the_start_counts_only_for_a_coordinator_that_is_alone) {
  ConfigFile alone(Keeper::alone), several(Keeper::several);
  for (ConfigFile* file : {&alone, &several}) {
    file->read(blue);
    EXPECT_EQ(text(file->next(std::nullopt, Office::out)), "nothing");
    file->entered_office();
  }
  EXPECT_EQ(text(alone.next(kept(red), Office::in)), "take blue");
  EXPECT_EQ(text(several.next(kept(red), Office::in)), "tell");
}

TEST(ConfigFileTest, that_has_missed_changes_follows_when_it_is_read_for_the_first_time) {
  for (const Office office : {Office::in, Office::out}) {
    ConfigFile file(Keeper::several);
    file.read(red);
    EXPECT_EQ(text(file.next(kept(config_of("green"), {red, blue}), office)), "write green");
  }
}

TEST(ConfigFileTest, that_is_saved_as_it_once_was_is_no_outdated_one) {
  ConfigFile file(Keeper::several);
  file.read(blue);
  EXPECT_EQ(text(file.next(kept(blue, {red}), Office::out)), "nothing");
  file.read(red);
  EXPECT_EQ(text(file.next(kept(blue, {red}), Office::out)), "tell");
  EXPECT_EQ(text(file.next(kept(blue, {red}), Office::in)), "nothing");
  file.read(red);
  EXPECT_EQ(text(file.next(kept(blue, {red}), Office::in)), "take red");
}

TEST(ConfigFileTest, that_was_no_configuration_counts_once_it_is_one) {
  ConfigFile file(Keeper::several);
  file.unusable();
  EXPECT_EQ(text(file.next(kept(red), Office::in)), "nothing");
  file.read(blue);
  EXPECT_EQ(text(file.next(kept(red), Office::in)), "take blue");
}

}  // namespace
}  // namespace skerry::control
