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

TEST(ClusterSimTest, changes_that_are_not_told_are_found) { EXPECT_NE(found_within(20, ClusterMistake::untold_changes), ""); }

TEST(ClusterSimTest, sessions_that_end_and_nobody_is_told_are_found) {
  EXPECT_NE(found_within(60, ClusterMistake::untold_sessions), "");
}

TEST(ClusterSimTest, nodes_whose_disks_rot_are_filled_anew) {
  std::uint64_t damages = 0, repairs = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const ClusterSimReport report = run(seed, 5);
    EXPECT_EQ(report.failure, "") << seed;
    damages += report.damages;
    repairs += report.repairs;
  }
  EXPECT_GT(damages, 5U);
  EXPECT_GT(repairs, 0U);
}

TEST(ClusterSimTest, a_node_that_lost_all_and_takes_part_as_before_is_found) {
  EXPECT_NE(found_within(100, ClusterMistake::forgotten_damage), "");
}

TEST(ClusterSimTest, shards_are_split_and_merged) {
  std::uint64_t reshapes = 0, shards = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const ClusterSimReport report = run(seed, 5);
    reshapes += report.reshapes;
    shards += report.shards;
  }
  EXPECT_GT(reshapes, 10U);
  EXPECT_GT(shards, 40U);   // that served
}

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

constexpr control::HashRange everything;

TEST(ChangeLogTest, every_put_is_told_once_and_in_order) {
  ChangeLog changes;
  changes.changed("key", VersionId(1));
  changes.changed("key", VersionId(2));
  EXPECT_EQ(changes.violation(history({put("a", 0, 1, 1), put("b", 2, 3, 2)}), at(-1)), "");
  EXPECT_NE(changes.violation(history({put("a", 0, 1, 1), put("b", 2, 3, 3)}), at(-1)), "");
  EXPECT_EQ(changes.violation(history({put("a", 0, 1, 1), put("b", 2, 3, 3)}), at(2)), "");   // it did not follow then
  changes.changed("key", VersionId(2));
  EXPECT_NE(changes.violation(history({}), at(-1)), "");
}

TEST(ChangeLogTest, a_gap_covers_what_was_missed_around_it_and_no_more) {
  ChangeLog changes;
  changes.changed("key", VersionId(1));
  changes.missed(everything);
  changes.changed("key", VersionId(3));
  changes.changed("key", VersionId(5));
  EXPECT_EQ(changes.violation(history({put("a", 0, 1, 1), put("b", 2, 3, 2), put("c", 4, 5, 3)}), at(-1)), "");
  EXPECT_NE(changes.violation(history({put("a", 0, 1, 4)}), at(-1)), "");
}

}  // namespace
}  // namespace skerry::sim
