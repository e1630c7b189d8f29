// SPDX-License-Identifier: Apache-2.0
#include "replica/replica_core.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.hpp"

namespace skerry::replica {

ReplicaCore::ReplicaCore(Voter self, Recovered recovered)
    : self_(self), term_(recovered.term), last_(recovered.last), commit_(recovered.applied), applied_(recovered.applied) {
  SKERRY_ASSERT(applied_ <= last_);
}

Result<Effects> ReplicaCore::lead(Term term, std::vector<Voter> voters) {
  SKERRY_ASSERT(std::ranges::find(voters, self_) != voters.end());
  if (term <= term_) {
    return fail(Errc::aborted, fmt::format("term {} is not above {}, which is already known", term.value(), term_.value()));
  }
  Effects effects = fence(term);
  voters_ = std::move(voters);
  role_ = Role::recording;
  return effects;
}

Effects ReplicaCore::fence(Term term) {
  Effects effects;
  if (term <= term_) return effects;
  if (role_ == Role::recovering || role_ == Role::serving) effects.lost_above = commit_;
  term_ = term;
  role_ = Role::fenced;
  barrier_ = no_offset;
  voters_.clear();
  persisted_.clear();
  effects.record_term = term;
  return effects;
}

Effects ReplicaCore::term_recorded(Term term) {
  Effects effects;
  if (term != term_ || role_ != Role::recording) return effects;   // fenced meanwhile
  role_ = Role::recovering;
  if (alone() && commit_ < last_) {
    commit_to(last_, effects);   // the barrier follows when that is applied
  } else {
    effects.propose_barrier = true;
  }
  return effects;
}

Offset ReplicaCore::propose() {
  SKERRY_ASSERT(role_ == Role::recovering || role_ == Role::serving);
  last_ = last_.next();
  if (barrier_ == no_offset) barrier_ = last_;
  return last_;
}

Effects ReplicaCore::persisted(Voter voter, Term term, Offset up_to) {
  Effects effects;
  if (term != term_) return effects;
  if (role_ != Role::recovering && role_ != Role::serving) return effects;
  if (std::ranges::find(voters_, voter) == voters_.end()) return effects;
  const auto known = persisted_.try_emplace(voter, no_offset).first;
  known->second = std::max(known->second, std::min(up_to, last_));
  const Offset agreed = majority_has();
  if (barrier_ != no_offset && agreed >= barrier_ && agreed > commit_) commit_to(agreed, effects);
  return effects;
}

Effects ReplicaCore::applied(Offset up_to) {
  SKERRY_ASSERT(up_to <= commit_);
  Effects effects;
  applied_ = std::max(applied_, up_to);
  if (role_ != Role::recovering) return effects;
  if (barrier_ == no_offset) {
    effects.propose_barrier = alone() && applied_ == last_;
  } else if (applied_ >= barrier_) {
    role_ = Role::serving;
    effects.serving = true;
  }
  return effects;
}

Offset ReplicaCore::majority_has() const {
  std::vector<Offset> offsets;
  for (const Voter voter : voters_) {
    const auto known = persisted_.find(voter);
    offsets.push_back(known == persisted_.end() ? no_offset : known->second);
  }
  std::ranges::sort(offsets, std::greater<>());
  return offsets[voters_.size() / 2];   // the smallest that a majority has reached
}

void ReplicaCore::commit_to(Offset offset, Effects& effects) {
  commit_ = offset;
  effects.commit = offset;
}

}  // namespace skerry::replica
