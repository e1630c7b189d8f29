// SPDX-License-Identifier: Apache-2.0
#include "control/raft_core.hpp"

#include "base/assert.hpp"
#include "control/raft_rules.hpp"

namespace skerry::control {

using Ballot = RaftVote::Ballot;

RaftCore::RaftCore(RaftSeat seat, RaftRecovered recovered, TimePoint now)
    : seat_(seat), random_(seat.seed), term_(std::max(recovered.term, recovered.log.head().term)), recorded_term_(term_),
      log_(std::move(recovered.log)), persisted_(log_.last()), commit_(recovered.snapshot.offset), promised_until_(now) {
  SKERRY_ASSERT(seat_.self.value() < seat_.members && commit_ >= log_.base().offset && commit_ <= log_.last());
  wait_for_election(now);
  if (seat_.members == 1) {
    election_at_ = now;
  } else if (kept(RaftRule::restarted_voter_waits)) {
    promised_until_ = now + seat_.timing.election_min;   // it may have promised just before it ended
  }
}

// --- terms

bool RaftCore::may_lead(RaftMember member, Term term) const {
  return term.value() % seat_.members == member.value() || !kept(RaftRule::one_candidate_for_a_term);
}

Term RaftCore::next_own_term() const {
  Term term = std::max(Term(1), kept(RaftRule::restarted_leads_no_old_term) ? term_.next() : term_);
  while (!may_lead(seat_.self, term)) term = term.next();
  return term;
}

void RaftCore::enter_term(Term term, RaftEffects& effects) {
  leave_leadership(effects);
  role_ = Role::follower;
  term_ = term;
  leader_.reset();
  votes_.clear();
  vote_due_.reset();
  matched_ = no_offset;
  answer_due_ = false;
  missing_.reset();
  effects.record = true;
}

void RaftCore::leave_leadership(RaftEffects& effects) {
  if (!leads()) return;
  effects.lost = true;
  role_ = Role::follower;
  leader_.reset();
  barrier_ = no_offset;
  peers_.clear();
}

void RaftCore::sit() {
  stands_ = false;
  if (!leads()) role_ = Role::follower;
}

RaftEffects RaftCore::resign(TimePoint now) {
  RaftEffects effects;
  if (!leads()) return effects;
  for (const RaftPeer& each : peers_) send(each.member, RaftGaveUp{term_}, effects);
  leave_leadership(effects);
  election_at_ = now + seat_.timing.election_max;   // others first
  return effects;
}

void RaftCore::commit_to(Offset offset, RaftEffects& effects) {
  if (offset <= commit_) return;
  if (leads() && commit_ < barrier_ && offset >= barrier_) effects.office = true;
  commit_ = offset;
  effects.commit = offset;
}

bool RaftCore::in_office(TimePoint now) const {
  return leads() && (commit_ >= barrier_ || !kept(RaftRule::office_after_barrier)) &&
         (now < lease_until() || !kept(RaftRule::lease_ends_office));
}

// --- what happens

Result<RaftEffects> RaftCore::receive(RaftMember from, const RaftMessage& message, TimePoint now) {
  TRYV(check(from, message));
  RaftEffects effects;
  std::visit([&](const auto& each) { take(from, each, now, effects); }, message);
  return effects;
}

RaftEffects RaftCore::persisted(const RaftPosition& position, TimePoint now) {
  RaftEffects effects;
  const Offset before = persisted_;
  if (position.cuts == cuts_) persisted_ = std::max(persisted_, position.last);
  recorded_term_ = std::max(recorded_term_, position.term);
  if (leads()) advance_commit(effects);
  if (!recorded()) return effects;
  if (role_ == Role::candidate && !asked_) {
    asked_ = true;
    ask(now, effects);
    count_votes(now, effects);
  }
  if (vote_due_) send(*vote_due_, RaftVoteAnswer{Ballot::binding, true, term_}, effects);
  vote_due_.reset();
  if (answer_due_ || (persisted_ > before && matched_ > before)) answer_leader(effects);
  return effects;
}

RaftEffects RaftCore::tick(TimePoint now) {
  RaftEffects effects;
  if (leads()) {
    if (kept(RaftRule::lease_ends_office) && now >= active_until()) {
      leave_leadership(effects);
      wait_for_election(now);
    } else if (now >= beat_at_) {
      beat_at_ = now + seat_.timing.heartbeat;
      for (RaftPeer& each : peers_) each.beat_due = true;
      effects.flush = true;
    }
    return effects;
  }
  if (!stands_) return effects;
  if (now >= election_at_) {
    try_candidacy(now, effects);
  } else if (asks() && now >= ask_again_at_) {
    ask(now, effects);
  }
  return effects;
}

TimePoint RaftCore::next_tick() const {
  if (leads()) return kept(RaftRule::lease_ends_office) ? std::min(beat_at_, active_until()) : beat_at_;
  if (!stands_) return TimePoint::max();
  return asks() ? std::min(ask_again_at_, election_at_) : election_at_;
}

// --- standing

void RaftCore::wait_for_election(TimePoint now) {
  const Duration spread = seat_.timing.election_max - seat_.timing.election_min;
  election_at_ = now + seat_.timing.election_min + Duration(random_.below(static_cast<std::uint64_t>(spread.count())));
}

void RaftCore::try_candidacy(TimePoint now, RaftEffects& effects) {
  role_ = Role::trying;
  leader_.reset();
  votes_.clear();
  asked_term_ = no_term;
  wait_for_election(now);
  ask(now, effects);
  count_votes(now, effects);
}

void RaftCore::become_candidate(TimePoint now, RaftEffects& effects) {
  enter_term(next_own_term(), effects);
  role_ = Role::candidate;
  votes_ = {seat_.self};
  asked_ = false;
  wait_for_election(now);
  if (kept(RaftRule::term_durable_before_asking)) return;
  asked_ = true;
  ask(now, effects);
}

// Asks all who have not answered yet.
void RaftCore::ask(TimePoint now, RaftEffects& effects) {
  ask_again_at_ = now + seat_.timing.heartbeat;
  const Ballot ballot = role_ == Role::trying ? Ballot::trial : Ballot::binding;
  const Term term = role_ == Role::trying ? next_own_term() : term_;
  if (term != asked_term_) votes_.clear();
  votes_.insert(seat_.self);
  asked_term_ = term;
  for (RaftMember each{0}; each.value() < seat_.members; each = each.next()) {
    if (!votes_.contains(each)) send(each, RaftVote{ballot, term, log_.head()}, effects);
  }
}

void RaftCore::count_votes(TimePoint now, RaftEffects& effects) {
  const std::size_t needed = kept(RaftRule::majority_elects) ? majority() : seat_.members / 2;
  if (votes_.size() < needed) return;
  if (role_ == Role::trying) return become_candidate(now, effects);
  if (role_ == Role::candidate && asked_) lead(now, effects);
}

void RaftCore::take(RaftMember from, const RaftVoteAnswer& answer, TimePoint now, RaftEffects& effects) {
  if (!answer.granted) {
    if (answer.term <= term_ || leads()) return;
    const bool tries = role_ == Role::trying;
    enter_term(answer.term, effects);
    if (!tries) return;
    role_ = Role::trying;   // goes on, for a higher term
    ask_again_at_ = now;
    return;
  }
  const Role wanted = answer.ballot == Ballot::trial ? Role::trying : Role::candidate;
  if (role_ != wanted || answer.term != asked_term_) return;
  votes_.insert(from);
  count_votes(now, effects);
}

// --- voting

// A leader that somebody still counts on must not be given a successor. It may be its own: then it has started anew.
bool RaftCore::is_promised_to_another(RaftMember asker, TimePoint now) const {
  if (!kept(RaftRule::promise_is_kept)) return false;
  return leads() ? now < active_until() : now < promised_until_ && promised_to_ != asker;
}

void RaftCore::take(RaftMember from, const RaftVote& vote, TimePoint now, RaftEffects& effects) {
  const bool head_will_do = vote.head >= log_.head() || !kept(RaftRule::vote_for_no_lower_head);
  const bool promised = is_promised_to_another(from, now);
  if (vote.ballot == Ballot::trial) {
    const bool granted = !promised && vote.term > term_ && head_will_do;
    return send(from, RaftVoteAnswer{Ballot::trial, granted, granted ? vote.term : term_}, effects);
  }
  const bool older = vote.term < term_ && kept(RaftRule::older_term_refused);
  if (!older && !promised && vote.term > term_) enter_term(vote.term, effects);
  if (older || promised || leads() || !head_will_do) return send(from, RaftVoteAnswer{Ballot::binding, false, term_}, effects);
  wait_for_election(now);
  if (recorded() || !kept(RaftRule::vote_durable_before_answer)) {
    send(from, RaftVoteAnswer{Ballot::binding, true, vote.term}, effects);
  } else {
    vote_due_ = from;
  }
}

void RaftCore::take(RaftMember from, const RaftGaveUp& message, TimePoint now, RaftEffects&) {
  if (message.term != term_ || leader_ != from) return;
  leader_.reset();
  promised_until_ = now;
  election_at_ = now + Duration(random_.below(static_cast<std::uint64_t>(seat_.timing.heartbeat.count()) / 2));
}

}  // namespace skerry::control
