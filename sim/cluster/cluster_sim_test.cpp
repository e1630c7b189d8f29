// SPDX-License-Identifier: Apache-2.0
#include "sim/cluster/cluster_sim.hpp"

#include <gtest/gtest.h>

namespace skerry::sim {
namespace {

using Kind = History::Operation::Kind;

ClusterSimReport run(std::uint64_t seed, std::size_t nodes, ClusterMistake mistake = ClusterMistake::nothing) {
  return ClusterSim({.seed = seed, .nodes = nodes, .mistake = mistake}).run();
}

// The failure of the first of so many seeds that fails; empty: none does.
std::string found_within(std::uint64_t seeds, ClusterMistake mistake) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    if (std::string failure = run(seed, 3, mistake).failure; !failure.empty()) return failure;
  }
  return "";
}

TEST(ClusterSimTest, the_same_seed_gives_the_same_run) {
  for (const std::uint64_t seed : {1, 2}) EXPECT_EQ(run(seed, 5).trace_hash, run(seed, 5).trace_hash);
  EXPECT_NE(run(1, 5).trace_hash, run(2, 5).trace_hash);
}

TEST(ClusterSimTest, writes_that_are_acknowledged_before_they_are_synced_are_found) {
  EXPECT_NE(found_within(100, ClusterMistake::unsynced_writes), "");
}

TEST(ClusterSimTest, reads_of_replicas_that_do_not_serve_are_found) {
  EXPECT_NE(found_within(20, ClusterMistake::stale_reads), "");
}

// The power goes while a follower's own disk is behind what the others have committed, and its engine has made durable.
TEST(ClusterSimTest, an_engine_that_is_ahead_of_its_log_is_no_damage) { EXPECT_EQ(run(428, 7).failure, ""); }

History history(std::vector<History::Operation> operations) {
  History made;
  for (auto& each : operations) made.add(std::move(each));
  return made;
}

TimePoint at(int seconds) { return TimePoint() + std::chrono::seconds(seconds); }

History::Operation put(std::string value, int began, int ended, std::int64_t version) {
  return {.kind = Kind::put,
          .key = "key",
          .value = std::move(value),
          .began = at(began),
          .ended = at(ended),
          .version = VersionId(version)};
}
History::Operation get(std::string value, int began, int ended, std::int64_t version) {
  return {.kind = Kind::get,
          .key = "key",
          .value = std::move(value),
          .began = at(began),
          .ended = at(ended),
          .version = VersionId(version)};
}

TEST(HistoryTest, what_overlaps_may_be_seen_or_not) {
  EXPECT_EQ(history({put("a", 0, 1, 1), put("b", 2, 5, 2), get("a", 3, 4, 1)}).violation(), "");
  EXPECT_EQ(history({put("a", 0, 1, 1), put("b", 2, 5, 2), get("b", 3, 4, 2)}).violation(), "");
  EXPECT_EQ(history({get("", 0, 3, -1), put("a", 1, 2, 1)}).violation(), "");
}

TEST(HistoryTest, what_can_not_have_been_is_found) {
  EXPECT_NE(history({put("a", 0, 1, 1), put("b", 2, 3, 2), get("a", 4, 5, 1)}).violation(), "");   // stale
  EXPECT_NE(history({put("a", 0, 1, 1), get("", 2, 3, -1)}).violation(), "");                      // lost
  EXPECT_NE(history({put("a", 0, 1, 2), put("b", 2, 3, 1)}).violation(), "");                      // out of order
  EXPECT_NE(history({get("a", 0, 1, 1), put("a", 2, 3, 1)}).violation(), "");                      // from the future
  EXPECT_NE(history({put("a", 0, 1, 1), get("x", 2, 3, 2)}).violation(), "");                      // never put
  EXPECT_NE(history({put("a", 0, 1, 1), put("b", 0, 1, 1)}).violation(), "");                      // one version for two
}

}  // namespace
}  // namespace skerry::sim
