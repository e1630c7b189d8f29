// SPDX-License-Identifier: Apache-2.0
// Both sides of what a coordinator does for so many shards at once. Other limits of it have scripts in testdata.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/limits.hpp"
#include "control/testing/scripted_cluster.hpp"

namespace skerry::control {
namespace {

std::size_t lines_with(const std::string& text, const std::string& what) {
  std::istringstream lines(text);
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line);) count += line.find(what) != std::string::npos ? 1 : 0;
  return count;
}

// Of shards that nobody leads any more: how many elections are under way, and how many shards wait until one has ended.
std::pair<std::size_t, std::size_t> elections_of(std::size_t shards) {
  ScriptedCluster cluster;
  cluster.command(fmt::format("found 1 {} 1", shards));
  cluster.command("disobey n1");
  cluster.command("break n1");
  const std::string asked = cluster.command("greet n1 incarnation 2");   // it leads nothing any more
  std::size_t waiting = 0;
  for (std::size_t shard = 0; shard < shards; ++shard) {
    waiting += lines_with(cluster.command(fmt::format("why shard {}", shard)), "elections are under way");
  }
  return {lines_with(asked, "fence n1 of shard"), waiting};
}

TEST(CoordinatorLimits, so_many_elections_are_held_at_once_and_others_wait) {
  constexpr std::size_t most = limits::elections_at_once_max;
  EXPECT_EQ(elections_of(most), std::pair(most, std::size_t{0}));
  EXPECT_EQ(elections_of(most + 1), std::pair(most, std::size_t{1}));
}

// Of shards that are to have one member more, whose leaders do nothing about it: how many have begun.
std::size_t moves_of(std::size_t shards) {
  ScriptedCluster cluster;
  cluster.command(fmt::format("found 2 {} 1", shards));
  cluster.command("disobey n1 n2");
  cluster.command(fmt::format("namespace default {} 2", shards));
  cluster.command("configure");
  cluster.command("wait 1000");
  return lines_with(cluster.command("status"), "learners");
}

TEST(CoordinatorLimits, so_many_shards_get_new_members_at_once_and_others_wait) {
  constexpr std::size_t most = limits::moves_at_once_max;
  EXPECT_EQ(moves_of(most), most);
  EXPECT_EQ(moves_of(most + 1), most);
}

}  // namespace
}  // namespace skerry::control
