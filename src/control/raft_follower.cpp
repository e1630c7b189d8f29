// SPDX-License-Identifier: Apache-2.0
// What a RaftCore does as a follower, and with what makes no sense.
#include <fmt/format.h>

#include <algorithm>

#include "control/raft_core.hpp"
#include "control/raft_rules.hpp"

namespace skerry::control {
namespace {

constexpr std::int64_t number_max = std::int64_t{1} << 60;   // of terms and offsets: counting on never overflows

bool is_sane(Term term) { return term >= Term(1) && term.value() <= number_max; }
bool is_sane(const EntryId& entry) {
  return entry.offset >= no_offset && entry.offset.value() <= number_max &&
         (entry.offset == no_offset ? entry.term == no_term : is_sane(entry.term));
}

}  // namespace

// --- what no peer may say

Result<> RaftCore::check(RaftMember from, const RaftMessage& message) const {
  const auto refuse = [from](const char* why) {
    return fail(Errc::corrupt, fmt::format("coordinator {} says what can't be: {}", from.value(), why));
  };
  if (from == seat_.self || from.value() >= seat_.members) return refuse("that it is one of us");
  if (const auto* vote = std::get_if<RaftVote>(&message)) {
    if (!is_sane(vote->term) || !is_sane(vote->head) || !may_lead(from, vote->term))
      return refuse("that it may lead in this term");
  } else if (const auto* answer = std::get_if<RaftVoteAnswer>(&message)) {
    if (answer->term != no_term && !is_sane(answer->term)) return refuse("such a term");
  } else if (const auto* appended = std::get_if<RaftAppendAnswer>(&message)) {
    if (!is_sane(appended->term) || !is_sane(appended->newest)) return refuse("such a term or entry");
  } else if (const auto* append = std::get_if<RaftAppend>(&message)) {
    if (!is_sane(append->term) || !is_sane(append->previous)) return refuse("such a term or entry");
    TRYV(check_leader(from, append->term));
    if (append->term >= term_) return check(from, *append);
  } else if (const auto* snapshot = std::get_if<RaftSnapshot>(&message)) {
    if (!is_sane(snapshot->term) || !is_sane(snapshot->entry) || snapshot->entry.offset == no_offset)
      return refuse("such a snapshot");
    return check_leader(from, snapshot->term);
  }
  return {};
}

Result<> RaftCore::check_leader(RaftMember from, Term term) const {
  if (may_lead(from, term) && !(term == term_ && leads())) return {};
  return fail(
      Errc::corrupt,
      fmt::format("coordinator {} says that it leads in term {}, which is another's: the coordinators were given different lists",
                  from.value(), term.value()));
}

Result<> RaftCore::check(RaftMember from, const RaftAppend& message) const {
  Term before = message.previous.term;
  for (const RaftEntry& entry : message.entries) {
    if (entry.term < before || entry.term > message.term || !is_sane(entry.term) || !entry.payload) {
      return fail(Errc::corrupt, fmt::format("coordinator {} sends entries that no log can hold", from.value()));
    }
    before = entry.term;
  }
  const auto contradicts = [this](Offset offset, Term term) {
    return offset <= commit_ && log_.term_of(offset) && *log_.term_of(offset) != term;
  };
  bool wrong = contradicts(message.previous.offset, message.previous.term);
  Offset at = message.previous.offset;
  for (const RaftEntry& entry : message.entries) wrong = contradicts(at = at.next(), entry.term) || wrong;
  if (!wrong) return {};
  return fail(
      Errc::corrupt,
      fmt::format("coordinator {} sends entries that contradict what is committed up to {} here: one of the two folders was put "
                  "back from a copy",
                  from.value(), commit_.value()));
}

// --- from the leader

// False: it leads no more.
bool RaftCore::follow(RaftMember from, Term term, TimePoint sent, TimePoint now, RaftEffects& effects) {
  if (term < term_ && kept(RaftRule::older_term_refused)) {
    send(from, RaftAppendAnswer{.kind = RaftAppendAnswer::Kind::older, .term = term_, .sent = sent}, effects);
    return false;
  }
  if (term > term_) enter_term(term, effects);
  role_ = Role::follower;
  leader_ = promised_to_ = from;
  promised_until_ = std::max(promised_until_, now + seat_.timing.election_min);
  wait_for_election(now);
  last_sent_ = sent;
  missing_.reset();
  return true;
}

void RaftCore::take(RaftMember from, const RaftAppend& message, TimePoint now, RaftEffects& effects) {
  if (!follow(from, message.term, message.sent, now, effects)) return;
  const EntryId& previous = message.previous;
  const bool has_previous = previous.offset < log_.base().offset || log_.has(previous) ||
                            (!kept(RaftRule::previous_entry_must_match) && previous.offset <= log_.last());
  if (has_previous) {
    take_entries(message, effects);
  } else {
    missing_ = previous;
  }
  const Offset equal = kept(RaftRule::commit_only_what_matches) ? matched_ : log_.last();
  commit_to(std::min(message.commit, equal), effects);
  // What is being written is answered when it is durable; the next heartbeat asks in vain for no longer than that takes.
  if (!effects.append_from || !kept(RaftRule::acknowledged_when_synced)) answer_leader(effects);
}

void RaftCore::take_entries(const RaftAppend& message, RaftEffects& effects) {
  if (!kept(RaftRule::nothing_else_is_cut) && message.previous.offset >= commit_) cut_above(message.previous.offset, effects);
  Offset at = message.previous.offset;
  for (const RaftEntry& entry : message.entries) {
    at = at.next();
    if (at <= log_.base().offset || log_.term_of(at) == entry.term) continue;
    if (log_.holds(at) && !kept(RaftRule::contradiction_is_cut)) continue;
    if (log_.holds(at)) cut_above(at.previous(), effects);
    if (!effects.append_from) effects.append_from = at;
    log_.append(entry);
  }
  matched_ = std::max(matched_, std::max(message.last(), log_.base().offset));
}

void RaftCore::cut_above(Offset last_kept, RaftEffects& effects) {
  if (log_.last() <= last_kept) return;
  log_.cut_above(last_kept);
  persisted_ = std::min(persisted_, last_kept);
  ++cuts_;
  effects.cut_above = last_kept;
}

void RaftCore::take(RaftMember from, const RaftSnapshot& message, TimePoint now, RaftEffects& effects) {
  if (!follow(from, message.term, message.sent, now, effects)) return;
  const EntryId entry{kept(RaftRule::snapshot_carries_head) ? message.entry.term : message.term, message.entry.offset};
  const bool has = entry.offset <= commit_ || log_.has(entry);
  if (!has || (!kept(RaftRule::snapshot_never_replaces_what_matches) && entry.offset >= commit_)) {
    log_.install(entry);
    persisted_ = no_offset;
    ++cuts_;
    commit_ = std::max(commit_, entry.offset);
    effects.install = entry;
  } else {
    commit_to(entry.offset, effects);
  }
  matched_ = std::max(matched_, entry.offset);
  answer_leader(effects);
}

void RaftCore::answer_leader(RaftEffects& effects) {
  answer_due_ = !recorded();
  if (answer_due_ || !leader_ || leads()) return;
  RaftAppendAnswer answer{.term = term_, .sent = last_sent_};
  answer.received = matched_;
  answer.matched = kept(RaftRule::acknowledged_when_synced) ? std::min(matched_, persisted_) : matched_;
  if (missing_) {
    answer.kind = RaftAppendAnswer::Kind::missing;
    answer.missing = missing_->offset;
    answer.newest = log_.newest_before(*missing_);
  }
  send(*leader_, answer, effects);
}

}  // namespace skerry::control
