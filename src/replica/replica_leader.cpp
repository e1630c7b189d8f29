// SPDX-License-Identifier: Apache-2.0
// What a ReplicaCore does as a leader.
#include <fmt/format.h>

#include <algorithm>

#include "base/assert.hpp"
#include "replica/replica_core.hpp"
#include "replica/rules.hpp"

namespace skerry::replica {

// --- proposing and sending

EntryId ReplicaCore::propose() {
  SKERRY_ASSERT(leads());
  last_ = last_.next();
  terms_.append(term_, last_);
  if (barrier_ == no_offset) barrier_ = last_;
  return {term_, last_};
}

bool ReplicaCore::owes_commit_news() const {
  return leads() && std::ranges::any_of(followers_, [this](const FollowerProgress& each) {
           return each.has_room() && !each.lacks(last_, version_) && each.lacks_commit(commit_);
         });
}

std::optional<SendPlan> ReplicaCore::next_send(NodeId to, bool commit_alone) {
  FollowerProgress* follower = progress_of(to);
  if (follower == nullptr || !follower->has_room()) return std::nullopt;
  if (!follower->lacks(last_, version_) && !(commit_alone && follower->lacks_commit(commit_))) return std::nullopt;
  const Offset next = follower->next();
  const std::optional<Term> previous = terms_.term_of(next.previous());
  SendPlan plan;
  if (!previous || (next < first_ && next <= last_)) {
    follower->begin_snapshot();
    plan.kind = SendPlan::Kind::snapshot;
    return plan;
  }
  plan.previous = {*previous, next.previous()};
  plan.last = plan.previous.offset;
  if (next <= last_) {
    plan.entries_term = *terms_.term_of(next);
    const std::size_t room = limits::follower_entries_in_flight_max -
                             std::min(follower->entries_in_flight(), limits::follower_entries_in_flight_max - 1);
    const auto count = static_cast<std::int64_t>(std::min(limits::append_entries_max, room));
    plan.last = std::min(terms_.end_of_term(next, last_), Offset(next.value() + count - 1));
  }
  return plan;
}

Append ReplicaCore::sent(NodeId to, Offset last, std::size_t bytes, TimePoint now) {
  FollowerProgress* follower = progress_of(to);
  SKERRY_ASSERT(follower != nullptr && last >= follower->next().previous() && last <= last_);
  const Offset previous = follower->next().previous();
  Append append{
      .term = term_, .version = version_, .previous = {*terms_.term_of(previous), previous}, .last = last, .commit = commit_};
  if (!append.empty()) append.entries_term = *terms_.term_of(last);
  follower->sent(append, bytes, now);
  return append;
}

Effects ReplicaCore::answered(NodeId from, const AppendAnswer& answer, TimePoint now) {
  if (answer.term > term_) return hear(answer.term, now);
  Effects effects;
  FollowerProgress* follower = progress_of(from);
  if (!leads() || answer.term < term_ || follower == nullptr) return effects;
  // To something of a term before, in which this replica led too: it has not followed in this one.
  if (answer.kind == AppendAnswer::Kind::fenced) return effects;
  follower->heard(answer, now);
  if (answer.kind == AppendAnswer::Kind::matched) {
    follower->matched_to(std::min(answer.matched, last_));
    advance_commit(effects);
    confirm_change(effects);
  } else if (answer.kind == AppendAnswer::Kind::missing) {
    follower->missing(answer.missing, next_for(answer.newest));
  }
  effects.send = effects.send || (follower->has_room() && (follower->lacks(last_, version_) || follower->lacks_commit(commit_)));
  return effects;
}

Effects ReplicaCore::probe(NodeId node) {
  Effects effects;
  FollowerProgress* follower = progress_of(node);
  if (follower == nullptr || follower->mode() == FollowerProgress::Mode::snapshot) return effects;
  follower->probe();
  effects.send = true;
  return effects;
}

Effects ReplicaCore::snapshot_ended(NodeId to, std::optional<Offset> installed) {
  Effects effects;
  FollowerProgress* follower = progress_of(to);
  if (follower == nullptr || follower->mode() != FollowerProgress::Mode::snapshot) return effects;
  follower->end_snapshot(installed);
  effects.send = true;
  return effects;
}

// After the newest entry that both logs can have, when the other has this one and nothing newer below its term.
Offset ReplicaCore::next_for(const EntryId& newest) const {
  return terms_.newest(newest.term, std::min(newest.offset, last_)).offset.next();
}

// --- commit

template <class ValueOf>
auto ReplicaCore::agreed_on(ValueOf value_of) const {
  if (kept(Rule::both_majorities_while_joint) && kept(Rule::learners_do_not_vote)) return membership_.agreed(value_of);
  Membership broken = membership_;
  if (!kept(Rule::both_majorities_while_joint)) broken.old_voters.clear();
  if (!kept(Rule::learners_do_not_vote)) broken.voters = membership_.members();
  return broken.agreed(value_of);
}

Offset ReplicaCore::persisted_on(NodeId node) const {
  if (node == self_) return kept(Rule::acknowledged_when_synced) ? persisted_ : last_;
  const FollowerProgress* follower = progress_of(node);
  return follower == nullptr ? no_offset : follower->matched();
}

void ReplicaCore::advance_commit(Effects& effects) {
  const Offset agreed = agreed_on([this](NodeId node) { return persisted_on(node); });
  if (barrier_ == no_offset || agreed <= commit_) return;
  if (agreed < barrier_ && kept(Rule::commit_from_barrier_on)) return;
  commit_to(agreed, effects);
  effects.send = true;
}

// --- membership

Result<Effects> ReplicaCore::change_members(ChangeMembers told) {
  TRYV(told.membership.check());
  if (!leads() || told.term != term_) {
    return fail(Errc::aborted, fmt::format("this replica does not lead term {}", told.term.value()));
  }
  Effects effects;
  if (told.membership == membership_) {
    if (change_.confirmed) effects.confirmed = version_;
    return effects;
  }
  const bool is_older = told.membership.version <= version_;
  if (is_older && kept(Rule::older_membership_refused)) {
    return fail(Errc::aborted,
                fmt::format("membership {} is not above {}, which is known", told.membership.version.value(), version_.value()));
  }
  if (!is_older && !is_step(membership_, told.membership)) {
    return fail(Errc::invalid_argument,
                fmt::format("membership {} is more than one step from {}", told.membership.version.value(), version_.value()));
  }
  version_ = std::max(version_, told.membership.version);
  effects.record = true;
  change_ = {.switched_at = std::max(last_, barrier_)};
  set_membership(std::move(told.membership));
  effects.send = true;
  advance_commit(effects);
  return effects;
}

void ReplicaCore::set_membership(Membership membership) {
  membership_ = std::move(membership);
  lease_until_ = TimePoint::min();
  std::erase_if(followers_, [this](const FollowerProgress& each) { return !membership_.has(each.node()); });
  for (const NodeId node : membership_.members()) {
    if (node != self_ && progress_of(node) == nullptr) followers_.emplace_back(node, last_.next());
  }
}

void ReplicaCore::confirm_change(Effects& effects) {
  if (change_.confirmed || barrier_ == no_offset || commit_ < change_.switched_at) return;
  const bool known = membership_.has_majority([this](NodeId node) {
    const FollowerProgress* follower = progress_of(node);
    const MembershipVersion durable = node == self_         ? recorded_version_
                                      : follower == nullptr ? MembershipVersion(-1)
                                                            : follower->version();
    return durable >= version_ && persisted_on(node) >= change_.switched_at;
  });
  if (!known && kept(Rule::confirmed_when_committed_under_new_sets)) return;
  change_.confirmed = true;
  effects.confirmed = version_;
}

std::optional<MembershipVersion> ReplicaCore::confirmed_version() const {
  if (!leads() || !change_.confirmed) return std::nullopt;
  return version_;
}

FollowerProgress* ReplicaCore::progress_of(NodeId node) {
  const auto found = std::ranges::find(followers_, node, &FollowerProgress::node);
  return found == followers_.end() ? nullptr : &*found;
}

const FollowerProgress* ReplicaCore::progress_of(NodeId node) const {
  const auto found = std::ranges::find(followers_, node, &FollowerProgress::node);
  return found == followers_.end() ? nullptr : &*found;
}

// --- the lease

bool ReplicaCore::holds_lease(TimePoint now) {
  if (!leads()) return false;
  if (now >= lease_until_) lease_until_ = lease_until();
  return now < lease_until_;
}

TimePoint ReplicaCore::lease_until() const {
  if (!kept(Rule::lease_needs_majority)) return TimePoint::max();
  return agreed_on([this](NodeId node) { return promise_of(node); });
}

TimePoint ReplicaCore::promise_of(NodeId node) const {
  if (node == self_) return TimePoint::max();
  const HeldPromise held = leases_.held_from(node);
  const FollowerProgress* follower = progress_of(node);
  if (follower == nullptr) return TimePoint::min();
  const Incarnation acknowledged = follower->acknowledged_in();
  if (acknowledged == Incarnation()) return kept(Rule::lease_needs_acknowledged_term) ? TimePoint::min() : held.until;
  return acknowledged == held.incarnation || !kept(Rule::incarnation_ends_lease) ? held.until : TimePoint::min();
}

}  // namespace skerry::replica
