// SPDX-License-Identifier: Apache-2.0
#include "replica/membership.hpp"

#include <gtest/gtest.h>

#include <set>

namespace skerry::replica {
namespace {

std::vector<NodeId> nodes(std::initializer_list<std::uint32_t> ids) {
  std::vector<NodeId> all;
  for (const std::uint32_t id : ids) all.emplace_back(id);
  return all;
}
Membership members(std::int64_t version, std::vector<NodeId> voters, std::vector<NodeId> old = {},
                   std::vector<NodeId> learners = {}) {
  return {.version = MembershipVersion(version),
          .old_voters = std::move(old),
          .voters = std::move(voters),
          .learners = std::move(learners)};
}

TEST(Membership, a_majority_is_more_than_half_of_each_set) {
  const auto of = [](const Membership& membership, std::vector<NodeId> have) {
    return membership.has_majority([&have](NodeId node) { return std::ranges::find(have, node) != have.end(); });
  };
  EXPECT_TRUE(of(members(0, nodes({1})), nodes({1})));
  EXPECT_FALSE(of(members(0, nodes({1, 2})), nodes({1})));
  EXPECT_TRUE(of(members(0, nodes({1, 2, 3})), nodes({1, 3})));
  EXPECT_FALSE(of(members(0, nodes({1, 2, 3, 4})), nodes({1, 3})));
  const Membership joint = members(1, nodes({3, 4, 5}), nodes({1, 2, 3}));
  EXPECT_FALSE(of(joint, nodes({3, 4, 5})));
  EXPECT_FALSE(of(joint, nodes({1, 2, 3})));
  EXPECT_TRUE(of(joint, nodes({2, 3, 4})));
  EXPECT_FALSE(of(members(0, nodes({1, 2, 3}), {}, nodes({4, 5})), nodes({1, 4, 5})));
}

TEST(Membership, agrees_on_what_a_majority_of_every_set_has_reached) {
  const auto reached = [](NodeId node) { return Offset(node.value() * 10); };
  EXPECT_EQ(members(0, nodes({3})).agreed(reached), Offset(30));
  EXPECT_EQ(members(0, nodes({1, 2, 3})).agreed(reached), Offset(20));
  EXPECT_EQ(members(0, nodes({4, 3, 2, 1})).agreed(reached), Offset(20));
  EXPECT_EQ(members(0, nodes({5, 6, 7}), nodes({1, 2, 7})).agreed(reached), Offset(20));
}

TEST(Membership, refuses_what_can_be_no_membership) {
  EXPECT_TRUE(members(0, nodes({1, 2}), nodes({1}), nodes({3})).check());
  EXPECT_EQ(members(0, {}).check().error(), Errc::invalid_argument);
  EXPECT_EQ(members(0, nodes({1, 1})).check().error(), Errc::invalid_argument);
  EXPECT_EQ(members(0, nodes({1}), {}, nodes({1})).check().error(), Errc::invalid_argument);
  EXPECT_EQ(members(0, nodes({1}), nodes({2}), nodes({2})).check().error(), Errc::invalid_argument);
  std::vector<NodeId> many;
  for (std::uint32_t node = 0; node < limits::replicas_max; ++node) many.emplace_back(node);
  EXPECT_TRUE(members(0, many).check());
  many.emplace_back(99);
  EXPECT_EQ(members(0, many).check().error(), Errc::invalid_argument);
}

// Every subset that is a majority, as bits.
std::vector<unsigned> quorums(const Membership& membership) {
  std::vector<unsigned> found;
  for (unsigned set = 0; set < 16; ++set) {
    if (membership.has_majority([set](NodeId node) { return (set >> node.value() & 1U) != 0; })) found.push_back(set);
  }
  return found;
}

std::vector<Membership> memberships_of_four(std::int64_t version) {
  std::vector<std::vector<NodeId>> sets;
  for (unsigned set = 0; set < 16; ++set) {
    sets.emplace_back();
    for (std::uint32_t node = 0; node < 4; ++node) {
      if ((set >> node & 1U) != 0) sets.back().emplace_back(node);
    }
  }
  std::vector<Membership> all;
  for (const auto& voters : sets) {
    for (const auto& old : sets) {
      if (!voters.empty()) all.push_back(members(version, voters, old));
    }
  }
  return all;
}

TEST(Membership, quorums_of_neighbouring_steps_always_meet) {
  int steps = 0;
  const auto after = memberships_of_four(1);
  for (const Membership& from : memberships_of_four(0)) {
    const auto before = quorums(from);
    for (const Membership& to : after) {
      if (!is_step(from, to)) continue;
      ++steps;
      for (const unsigned one : before) {
        for (const unsigned other : quorums(to)) ASSERT_NE(one & other, 0U);
      }
    }
  }
  EXPECT_GT(steps, 500);
}

TEST(Membership, steps_rise_by_one_and_go_through_a_joint_set) {
  const Membership one = members(4, nodes({1})), joint = members(5, nodes({1, 2, 3}), nodes({1}));
  EXPECT_TRUE(is_step(one, joint));
  EXPECT_TRUE(is_step(joint, members(6, nodes({3, 2, 1}))));
  EXPECT_TRUE(is_step(joint, members(6, nodes({1}))));
  EXPECT_TRUE(is_step(one, members(5, nodes({1}), {}, nodes({2}))));
  EXPECT_FALSE(is_step(one, members(5, nodes({1, 2, 3}))));
  EXPECT_FALSE(is_step(one, members(6, nodes({1, 2, 3}), nodes({1}))));
  EXPECT_FALSE(is_step(one, members(4, nodes({1}))));
  EXPECT_FALSE(is_step(one, members(5, nodes({1, 2, 3}), nodes({2}))));
  EXPECT_FALSE(is_step(joint, members(6, nodes({1, 2}))));
  EXPECT_FALSE(is_step(joint, members(6, nodes({4}), nodes({1, 2, 3}))));
}

}  // namespace
}  // namespace skerry::replica
