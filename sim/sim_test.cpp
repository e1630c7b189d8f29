// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "sim/store_sim.hpp"

namespace skerry::sim {
namespace {

TEST(StoreSim, the_same_seed_goes_the_same_way) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const auto once = StoreSim({.seed = seed}).run(), again = StoreSim({.seed = seed}).run();
    EXPECT_EQ(once.trace_hash, again.trace_hash) << "seed " << seed;
    EXPECT_EQ(once.failure, again.failure);
  }
}

// Whether one of the seeds finds the bug.
bool found(Planted planted) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    if (!StoreSim({.seed = seed, .planted = planted}).run().failure.empty()) return true;
  }
  return false;
}

TEST(StoreSim, finds_answers_before_the_sync) { EXPECT_TRUE(found(Planted::early_answer)); }
TEST(StoreSim, finds_checkpoints_whose_names_are_not_synced) { EXPECT_TRUE(found(Planted::unsynced_names)); }

Task<> note_waking(Core& core, TimePoint& woken) {
  co_await core.sleep_for(1h);
  woken = core.now();
}

TEST(World, time_stands_still_while_there_is_work_and_jumps_when_there_is_none) {
  World world(1);
  EXPECT_FALSE(world.step());
  Core& core = world.start_core();
  TaskScope tasks(core);
  const TimePoint begun = world.clock.now();
  TimePoint woken{};
  tasks.spawn(note_waking(core, woken));
  while (world.step()) {}
  EXPECT_GE(woken, begun + 1h);
  EXPECT_LT(woken, begun + 1h + 1s);
}

}  // namespace
}  // namespace skerry::sim
