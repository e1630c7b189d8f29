// SPDX-License-Identifier: Apache-2.0
#include "sim/replicas/group_sim.hpp"

#include <gtest/gtest.h>

#include "sim/replicas/names.hpp"

namespace skerry::sim {
namespace {

constexpr std::uint64_t seeds_max = 4000;   // within which every bug must be found; most take a few dozen

// Whether one of the seeds ends badly.
bool found(GroupSimOptions options) {
  for (options.seed = 1; options.seed <= seeds_max; ++options.seed) {
    if (!GroupSim(options).run().failure.empty()) return true;
  }
  return false;
}

TEST(GroupSim, the_same_seed_goes_the_same_way) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto once = GroupSim({.seed = seed}).run(), again = GroupSim({.seed = seed}).run();
    EXPECT_EQ(once.trace_hash, again.trace_hash) << "seed " << seed;
    EXPECT_EQ(once.failure, again.failure);
    EXPECT_EQ(once.failure, "") << "seed " << seed;
  }
}

class BrokenRule : public testing::TestWithParam<std::pair<const std::string, replica::Rule>> {};
TEST_P(BrokenRule, is_found) { EXPECT_TRUE(found({.broken = GetParam().second})); }

class CoordinatorMistake : public testing::TestWithParam<std::pair<const std::string, Mistake>> {};
TEST_P(CoordinatorMistake, is_found) { EXPECT_TRUE(found({.mistake = GetParam().second})); }

class MistakeOfReshapes : public testing::TestWithParam<std::pair<const std::string, ReshapeMistake>> {};
TEST_P(MistakeOfReshapes, is_found) { EXPECT_TRUE(found({.reshape_mistake = GetParam().second, .real_coordinator = true})); }

std::string test_name(const auto& info) {
  std::string name = info.param.first;
  std::ranges::replace(name, '-', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(GroupSim, BrokenRule, testing::ValuesIn(rules_by_name()),
                         [](const auto& info) { return test_name(info); });
INSTANTIATE_TEST_SUITE_P(GroupSim, MistakeOfReshapes, testing::ValuesIn(reshape_mistakes_by_name()),
                         [](const auto& info) { return test_name(info); });
INSTANTIATE_TEST_SUITE_P(GroupSim, CoordinatorMistake, testing::ValuesIn(mistakes_by_name()),
                         [](const auto& info) { return test_name(info); });

}  // namespace
}  // namespace skerry::sim
