// SPDX-License-Identifier: Apache-2.0
#include "replica/membership.hpp"

#include <fmt/format.h>

namespace skerry::replica {
namespace {

void add_missing(std::vector<NodeId>& to, const std::vector<NodeId>& from) {
  for (const NodeId node : from) {
    if (std::ranges::find(to, node) == to.end()) to.push_back(node);
  }
}

bool has_twice(std::vector<NodeId> nodes) {
  std::ranges::sort(nodes);
  return std::ranges::adjacent_find(nodes) != nodes.end();
}

bool same_set(std::vector<NodeId> some, std::vector<NodeId> others) {
  std::ranges::sort(some);
  std::ranges::sort(others);
  return some == others;
}

}  // namespace

std::vector<NodeId> Membership::members() const {
  std::vector<NodeId> all;
  for (const auto* set : {&old_voters, &voters, &learners}) add_missing(all, *set);
  std::ranges::sort(all);
  return all;
}

Result<> Membership::check() const {
  const auto refuse = [this](const char* why) {
    return fail(Errc::invalid_argument, fmt::format("membership {} {}", version.value(), why));
  };
  if (voters.empty()) return refuse("has no voters");
  for (const auto* set : {&old_voters, &voters, &learners}) {
    if (set->size() > limits::replicas_max) return refuse("is too large");
    if (has_twice(*set)) return refuse("names a node twice");
  }
  if (std::ranges::any_of(learners, [this](NodeId node) { return votes(node); })) return refuse("has a learner that votes");
  return {};
}

Membership sole_voter(NodeId node) {
  Membership membership;
  membership.voters = {node};
  return membership;
}

bool is_step(const Membership& from, const Membership& to) {
  if (to.version != from.version.next()) return false;
  if (from.joint() && !to.joint()) return same_set(to.voters, from.voters) || same_set(to.voters, from.old_voters);
  if (!from.joint() && to.joint()) return same_set(to.old_voters, from.voters);
  return same_set(to.voters, from.voters) && same_set(to.old_voters, from.old_voters);
}

}  // namespace skerry::replica
