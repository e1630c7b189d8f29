// SPDX-License-Identifier: Apache-2.0
#include "sim/raft/raft_sim.hpp"

#include <gtest/gtest.h>

#include "sim/raft/names.hpp"

namespace skerry::sim {
namespace {

constexpr std::uint64_t seeds_max = 4000;   // within which every bug must be found; most take a few dozen

// Whether one of the seeds ends badly.
bool found(RaftSimOptions options) {
  for (options.seed = 1; options.seed <= seeds_max; ++options.seed) {
    if (!RaftSim(options).run().failure.empty()) return true;
  }
  return false;
}

TEST(RaftSim, the_same_seed_goes_the_same_way) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto once = RaftSim({.seed = seed}).run(), again = RaftSim({.seed = seed}).run();
    EXPECT_EQ(once.trace_hash, again.trace_hash) << "seed " << seed;
    EXPECT_EQ(once.failure, again.failure);
    EXPECT_EQ(once.failure, "") << "seed " << seed;
  }
}

class BrokenRaftRule : public testing::TestWithParam<std::pair<const std::string, control::RaftRule>> {};
TEST_P(BrokenRaftRule, is_found) { EXPECT_TRUE(found({.broken = GetParam().second})); }

INSTANTIATE_TEST_SUITE_P(RaftSim, BrokenRaftRule, testing::ValuesIn(raft_rules_by_name()), [](const auto& info) {
  std::string name = info.param.first;
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
}  // namespace skerry::sim
