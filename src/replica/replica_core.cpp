// SPDX-License-Identifier: Apache-2.0
#include "replica/replica_core.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.hpp"
#include "replica/rules.hpp"

namespace skerry::replica {
namespace {

// By a clock that is as fast as may be, so that this much has passed on the one that promised.
Duration waited_out(Duration promised) { return promised + promised / limits::clock_rate_error_part + Duration(1); }

}  // namespace

ReplicaCore::ReplicaCore(ShardId shard, NodeId self, Recovered recovered, NodeLeases& leases)
    : shard_(shard), self_(self), leases_(leases), term_(recovered.term), recorded_term_(recovered.term),
      version_(recovered.version), recorded_version_(recovered.version), terms_(std::move(recovered.terms)),
      first_(recovered.first), last_(recovered.last), persisted_(recovered.last), commit_(recovered.applied),
      applied_(recovered.applied), electable_(!kept(Rule::restarted_leads_no_old_term)) {
  SKERRY_ASSERT(applied_ <= last_ && first_ <= applied_.next() && terms_.term_of(last_));
}

// --- terms

Result<Effects> ReplicaCore::new_term(NewTerm asked, TimePoint now) {
  if (asked.version < version_ && kept(Rule::older_membership_refused)) {
    return fail(Errc::aborted,
                fmt::format("membership {} is older than {}, which is known", asked.version.value(), version_.value()));
  }
  if (asked.term < term_) {
    return fail(Errc::aborted, fmt::format("term {} is below {}, which is known", asked.term.value(), term_.value()));
  }
  Effects effects;
  if (asked.term > term_) {
    enter_term(asked.term, asked.version, now, effects);
    electable_ = true;
  } else if (role_ != Role::fenced || !electable_) {
    return fail(Errc::aborted, fmt::format("term {} is known, and its leader or a start came between", term_.value()));
  }
  if (asked.version > version_) {
    version_ = asked.version;
    effects.record = true;
  }
  coordinator_asks_ = true;
  answer_coordinator(now, effects);
  return effects;
}

void ReplicaCore::enter_term(Term term, MembershipVersion version, TimePoint now, Effects& effects) {
  leave_role(term, now, effects);
  term_ = term;
  version_ = std::max(version_, version);
  effects.record = true;
  coordinator_asks_ = false;
}

void ReplicaCore::leave_role(Term next, TimePoint now, Effects& effects) {
  if (leads()) {
    effects.lost_above = commit_;
    barrier_ = no_offset;
    membership_ = {};
    followers_.clear();
    lease_until_ = TimePoint::min();
  } else if (role_ == Role::following) {
    promised_until_ = std::max({promised_until_, leases_.given_to(*leader_), now});
    leases_.fenced(*leader_, {shard_, next});
  }
  role_ = Role::fenced;
  electable_ = false;
  leader_.reset();
  missing_.reset();
  answer_due_ = false;
}

void ReplicaCore::answer_coordinator(TimePoint now, Effects& effects) {
  if (!coordinator_asks_ || (!recorded() && kept(Rule::term_durable_before_answer))) return;
  coordinator_asks_ = false;
  NewTermAnswer answer{.term = term_, .head = head(), .applied = applied_};
  answer.served = served_ != no_term && (served_ == answer.head.term || !kept(Rule::served_told_of_head_only));
  const TimePoint until = std::max(promised_until_, leases_.given_in_former_life());
  if (until > now && kept(Rule::promise_told_when_fenced)) answer.promised = until - now;
  effects.fenced = answer;
}

Result<> ReplicaCore::check_leading(const BecomeLeader& told) const {
  TRYV(told.membership.check());
  const auto refuse = [&](const char* why) {
    return fail(Errc::aborted, fmt::format("can't lead term {}: {}", told.term.value(), why));
  };
  if (told.term != term_) return refuse(told.term < term_ ? "a higher one is known" : "it was not announced");
  if (role_ != Role::fenced || !electable_) return refuse("another leads it, or a start came between");
  if (!recorded()) return refuse("it is not durable yet");
  if (told.membership.version < version_) return refuse("the membership is older than the one that is known");
  if (!told.membership.votes(self_)) return refuse("this replica does not vote");
  // A learner may have more than every voter: none of that is committed.
  const auto is_ahead = [&](const BecomeLeader::Head& each) { return told.membership.votes(each.node) && each.head > head(); };
  if (std::ranges::any_of(told.heads, is_ahead)) return refuse("another voter's head is higher");
  return {};
}

Result<Effects> ReplicaCore::become_leader(BecomeLeader told, TimePoint now) {
  Effects effects;
  if (leads() && told.term == term_) return effects;
  TRYV(check_leading(told));
  role_ = Role::recovering;
  electable_ = false;
  leader_ = self_;
  serve_from_ = now + waited_out(told.lease_wait);
  waited_ = told.lease_wait <= Duration() || !kept(Rule::lease_waited_out);
  effects.record = told.membership.version > version_;
  version_ = told.membership.version;
  change_ = {.switched_at = last_.next()};   // the barrier
  set_membership(std::move(told.membership));
  for (const BecomeLeader::Head& each : told.heads) {
    if (auto* progress = progress_of(each.node)) *progress = FollowerProgress(each.node, next_for(each.head));
  }
  const bool alone = membership_.is_sole_voter(self_) || !kept(Rule::whole_log_committed_only_alone);
  if (alone && commit_ < last_) {
    commit_to(last_, effects);   // the barrier follows when that is applied
  } else {
    effects.propose_barrier = true;
  }
  return effects;
}

Result<Effects> ReplicaCore::vouched(EntryId last) {
  if (role_ != Role::fenced || head() != last) {
    return fail(Errc::aborted,
                fmt::format("this replica of shard {} {}, and entry {} of term {} is not its last", shard_.value(),
                            role_ == Role::fenced ? "is fenced" : "is not fenced", last.offset.value(), last.term.value()));
  }
  Effects effects;
  if (commit_ < last.offset) commit_to(last.offset, effects);
  return effects;
}

Effects ReplicaCore::resign(TimePoint now) {
  Effects effects;
  if (leads()) leave_role(term_, now, effects);
  return effects;
}

Effects ReplicaCore::hear(Term term, TimePoint now) {
  Effects effects;
  if (term <= term_ || !leads() || !kept(Rule::higher_term_ends_leadership)) return effects;
  enter_term(term, version_, now, effects);
  electable_ = true;
  return effects;
}

// --- own log, engine and time

Effects ReplicaCore::persisted(const LogPosition& position, TimePoint now) {
  SKERRY_ASSERT(position.cuts <= cuts_ && position.term <= term_ && position.version <= version_);
  Effects effects;
  recorded_term_ = std::max(recorded_term_, position.term);
  recorded_version_ = std::max(recorded_version_, position.version);
  if (position.cuts == cuts_) persisted_ = std::max(persisted_, position.last);
  answer_coordinator(now, effects);
  if (leads()) {
    advance_commit(effects);
    confirm_change(effects);
  } else {
    answer_leader(effects);
  }
  return effects;
}

Effects ReplicaCore::applied(Offset up_to) {
  SKERRY_ASSERT(up_to <= commit_);
  Effects effects;
  applied_ = std::max(applied_, up_to);
  if (role_ != Role::recovering) return effects;
  if (barrier_ == no_offset) {
    effects.propose_barrier = applied_ == last_;
  } else {
    serve_if_ready(effects);
  }
  return effects;
}

void ReplicaCore::trimmed(Offset first_kept) {
  SKERRY_ASSERT(first_kept <= applied_.next());
  if (first_kept <= first_) return;
  first_ = first_kept;
  terms_.trim(first_kept);
}

Effects ReplicaCore::tick(TimePoint now) {
  Effects effects;
  if (!leads()) return effects;
  if (now >= serve_from_) waited_ = true;
  serve_if_ready(effects);
  for (FollowerProgress& follower : followers_) {
    if (follower.patience_ends() > now) continue;
    follower.probe();
    effects.send = true;
  }
  return effects;
}

TimePoint ReplicaCore::next_tick() const {
  TimePoint next = TimePoint::max();
  if (!leads()) return next;
  if (!waited_) next = serve_from_;
  for (const FollowerProgress& follower : followers_) next = std::min(next, follower.patience_ends());
  return next;
}

void ReplicaCore::serve_if_ready(Effects& effects) {
  if (role_ != Role::recovering || barrier_ == no_offset || applied_ < barrier_ || !waited_) return;
  role_ = Role::serving;
  served_ = term_;
  effects.serving = true;
}

void ReplicaCore::commit_to(Offset offset, Effects& effects) {
  commit_ = offset;
  effects.commit = offset;
}

}  // namespace skerry::replica
