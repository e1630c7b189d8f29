// SPDX-License-Identifier: Apache-2.0
// What a ReplicaCore does as a follower.
#include <fmt/format.h>

#include <algorithm>

#include "replica/replica_core.hpp"
#include "replica/rules.hpp"

namespace skerry::replica {

AppendAnswer ReplicaCore::about_self(AppendAnswer::Kind kind) const {
  return {.kind = kind, .term = term_, .incarnation = leases_.incarnation(), .version = recorded_version_, .commit = commit_};
}

Effects ReplicaCore::fenced_answer(NodeId to, const AppendAnswer& message) {
  Effects effects;
  effects.answer = Effects::Answer{to, message};
  return effects;
}

// --- entries

Result<Effects> ReplicaCore::append(NodeId from, const Append& message, TimePoint now) {
  if (message.term < term_ && kept(Rule::older_term_refused)) return fenced_answer(from, about_self(AppendAnswer::Kind::fenced));
  TRYV(check(from, message));
  Effects effects;
  follow(from, message.term, message.version, now, effects);
  if (has(message.previous)) {
    take_entries(message, effects);
    if (const Offset commit = std::min(message.commit, matched_); commit > commit_) commit_to(commit, effects);
  } else {
    missing_ = message.previous;
  }
  answer_due_ = true;
  answer_leader(effects);
  return effects;
}

// Nothing here can come from a leader that keeps the rules; whatever does must not get into the log.
Result<> ReplicaCore::check(NodeId from, const Append& message) const {
  const auto refuse = [&](const char* what) {
    return fail(Errc::corrupt, fmt::format("shard {}: node {} sent entries {} to {} in term {}: {}", shard_.value(), from.value(),
                                           message.first().value(), message.last.value(), message.term.value(), what));
  };
  if (message.previous.offset < no_offset || message.last < message.previous.offset) return refuse("no such entries");
  if (message.previous.term > message.term) return refuse("they follow a later term");
  if (!message.empty() && (message.entries_term > message.term || message.entries_term < message.previous.term)) {
    return refuse("they are of another term");
  }
  TRYV(check_leader(from, message.term, message.version));
  const auto contradicts = [this](Offset offset, Term term) {
    return offset <= commit_ && terms_.term_of(offset).value_or(term) != term;
  };
  if (!kept(Rule::nothing_else_is_cut) || !kept(Rule::previous_entry_must_match)) return {};
  if (contradicts(message.previous.offset, message.previous.term)) return refuse("they contradict what is committed here");
  if (message.empty() || message.first() > commit_) return {};
  if (contradicts(message.first(), message.entries_term) || contradicts(std::min(message.last, commit_), message.entries_term)) {
    return refuse("they contradict what is committed here");
  }
  return {};
}

bool ReplicaCore::has(const EntryId& entry) const {
  if (entry.offset <= commit_) return true;   // the leader has all that is committed
  if (entry.offset > last_) return false;
  return !kept(Rule::previous_entry_must_match) || terms_.term_of(entry.offset) == entry.term;
}

// The previous entry is there, so all up to the last is the leader's afterwards.
void ReplicaCore::take_entries(const Append& message, Effects& effects) {
  Offset next = std::max(message.first(), commit_.next());
  if (!kept(Rule::nothing_else_is_cut)) {
    if (message.first() <= last_) cut_above(message.previous.offset, effects);
    next = message.first();
  }
  while (next <= std::min(message.last, last_) && terms_.term_of(next) == message.entries_term) {
    next = terms_.end_of_term(next, last_).next();
  }
  if (next <= last_ && !kept(Rule::contradiction_is_cut)) next = last_.next();
  if (next <= message.last) {
    if (next <= last_) cut_above(next.previous(), effects);
    effects.append = EntryRange{message.entries_term, next, message.last};
    terms_.append(message.entries_term, next);
    last_ = message.last;
  }
  matched_ = std::max(matched_, message.last);
}

void ReplicaCore::cut_above(Offset last_kept, Effects& effects) {
  effects.cut_above = last_kept;
  ++cuts_;
  last_ = last_kept;
  persisted_ = std::min(persisted_, last_kept);
  terms_.truncate(last_kept);
}

// --- the leader

Result<> ReplicaCore::check_leader(NodeId from, Term term, MembershipVersion version) const {
  if (term == term_ && leader_ && leader_ != from) {
    return fail(Errc::corrupt, fmt::format("shard {}: node {} leads term {}, and so does {}", shard_.value(), from.value(),
                                           term.value(), leader_->value()));
  }
  if (term > term_ && version < version_ && kept(Rule::older_membership_refused)) {
    return fail(Errc::aborted, fmt::format("shard {}: node {} leads by membership {}, older than {}", shard_.value(),
                                           from.value(), version.value(), version_.value()));
  }
  return {};
}

void ReplicaCore::follow(NodeId from, Term term, MembershipVersion version, TimePoint now, Effects& effects) {
  if (term > term_) enter_term(term, version, now, effects);
  if (version > version_) {
    version_ = version;
    effects.record = true;
  }
  if (role_ == Role::following) return;
  role_ = Role::following;
  electable_ = false;
  coordinator_asks_ = false;
  leader_ = from;
  matched_ = answered_ = commit_;
}

void ReplicaCore::answer_leader(Effects& effects) {
  if (role_ != Role::following || !answer_due_ || !recorded()) return;
  if (missing_) {
    AppendAnswer answer = about_self(AppendAnswer::Kind::missing);
    answer.missing = missing_->offset;
    answer.newest = terms_.newest(missing_->term, last_);
    if (answer.newest.offset < commit_) answer.newest = {terms_.term_of(commit_).value_or(no_term), commit_};
    effects.answer = Effects::Answer{*leader_, answer};
    missing_.reset();
    answer_due_ = persisted_ < matched_;
    return;
  }
  const Offset durable = kept(Rule::acknowledged_when_synced) ? std::min(matched_, persisted_) : matched_;
  if (durable < matched_ && durable <= answered_) return;   // the next sync brings more
  AppendAnswer answer = about_self(AppendAnswer::Kind::matched);
  answer.matched = durable;
  effects.answer = Effects::Answer{*leader_, answer};
  answered_ = durable;
  answer_due_ = durable < matched_;
}

// --- snapshots

bool ReplicaCore::wants(const SnapshotHeader& header) const {
  if (header.term < term_ || header.entry.offset <= commit_) return false;
  return header.entry.offset > last_ || terms_.term_of(header.entry.offset) != header.entry.term;
}

Result<Effects> ReplicaCore::snapshot_arrived(NodeId from, const SnapshotHeader& header, TimePoint now) {
  if (header.term < term_) return fenced_answer(from, about_self(AppendAnswer::Kind::fenced));
  if (header.entry.term > header.term || header.entry.offset < Offset(0)) {
    return fail(Errc::corrupt, fmt::format("shard {}: node {} sent a snapshot of no entry", shard_.value(), from.value()));
  }
  TRYV(check_leader(from, header.term, header.version));
  Effects effects;
  follow(from, header.term, header.version, now, effects);
  if (wants(header) || !kept(Rule::snapshot_never_replaces_what_matches)) {
    install(header.entry, effects);
  } else if (header.entry.offset > commit_) {
    commit_to(header.entry.offset, effects);   // it is in the log
  }
  matched_ = std::max(matched_, header.entry.offset);
  answer_due_ = true;
  answer_leader(effects);
  return effects;
}

void ReplicaCore::install(EntryId entry, Effects& effects) {
  if (!kept(Rule::snapshot_carries_head)) entry.term = head().term;
  effects.install = entry;
  ++cuts_;
  persisted_ = std::min(persisted_, commit_);   // until the installation is durable
  terms_.reset(entry);
  first_ = entry.offset.next();
  last_ = commit_ = applied_ = entry.offset;
}

}  // namespace skerry::replica
