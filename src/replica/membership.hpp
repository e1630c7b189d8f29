// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <functional>
#include <vector>

#include "base/assert.hpp"
#include "base/ids.hpp"
#include "base/limits.hpp"
#include "base/result.hpp"

namespace skerry::replica {

// Which entry, among all histories: two logs that hold the same one are equal up to it. Ordered as heads are: by term, then
// offset.
struct EntryId {
  Term term = no_term;
  Offset offset = no_offset;
  friend auto operator<=>(const EntryId&, const EntryId&) = default;
};

// Who agrees on a shard's log. Joint while there are old voters: then each set needs a majority of its own. Learners receive and
// never vote. The coordinator's to change, one step at a time.
struct Membership {
  MembershipVersion version{0};
  std::vector<NodeId> old_voters, voters, learners;

  bool joint() const { return !old_voters.empty(); }
  bool votes(NodeId node) const { return holds(voters, node) || holds(old_voters, node); }
  bool has(NodeId node) const { return votes(node) || holds(learners, node); }
  bool is_sole_voter(NodeId node) const { return !joint() && voters.size() == 1 && voters.front() == node; }
  std::vector<NodeId> members() const;   // each once, in order

  // Whether those for whom `has` holds are a majority of every set.
  template <class Predicate>
  bool has_majority(Predicate has) const {
    return agreed([&](NodeId node) { return static_cast<int>(has(node)); }) == 1;
  }
  // The highest value that a majority of every set has reached. Requires: check().
  template <class ValueOf>
  auto agreed(ValueOf value_of) const {
    auto reached = agreed_in(voters, value_of);
    if (joint()) reached = std::min(reached, agreed_in(old_voters, value_of));
    return reached;
  }

  // Fails with invalid_argument: no voter, too many, one twice, a learner that votes.
  Result<> check() const;
  friend bool operator==(const Membership&, const Membership&) = default;

 private:
  static bool holds(const std::vector<NodeId>& set, NodeId node) { return std::ranges::find(set, node) != set.end(); }
  template <class ValueOf>
  static auto agreed_in(const std::vector<NodeId>& set, ValueOf& value_of) {
    using Value = std::invoke_result_t<ValueOf&, NodeId>;
    SKERRY_ASSERT(!set.empty() && set.size() <= limits::replicas_max);
    std::array<Value, limits::replicas_max> values;
    std::ranges::transform(set, values.begin(), std::ref(value_of));
    const auto last = values.begin() + static_cast<std::ptrdiff_t>(set.size());
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(set.size() / 2);
    std::nth_element(values.begin(), middle, last, std::greater<>());
    return *middle;
  }
};

// A shard with one replica.
Membership sole_voter(NodeId node);

// Whether `to` may follow `from`, so that any two of their quorums meet: other learners, a joint set with the old voters in it,
// or out of the joint set to either of its halves.
bool is_step(const Membership& from, const Membership& to);

}   // namespace skerry::replica
