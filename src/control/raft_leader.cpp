// SPDX-License-Identifier: Apache-2.0
// What a RaftCore does as the leader.
#include <algorithm>
#include <functional>

#include "base/assert.hpp"
#include "base/limits.hpp"
#include "control/raft_core.hpp"
#include "control/raft_rules.hpp"

namespace skerry::control {
namespace {

constexpr std::size_t messages_in_flight_max = 64;   // to one follower

}  // namespace

void RaftCore::lead(TimePoint now, RaftEffects& effects) {
  role_ = Role::leader;
  leader_ = seat_.self;
  elected_at_ = beat_at_ = now;
  barrier_ = log_.last().next();
  peers_.clear();
  for (RaftMember each{0}; each.value() < seat_.members; each = each.next()) {
    if (each != seat_.self) peers_.emplace_back(each, barrier_);
  }
  log_.append({term_, std::make_shared<const Bytes>()});
  effects.append_from = barrier_;
  effects.flush = true;
  if (!kept(RaftRule::office_after_barrier)) effects.office = true;
}

RaftEffects RaftCore::propose(std::shared_ptr<const Bytes> payload) {
  SKERRY_ASSERT(leads());
  log_.append({term_, std::move(payload)});
  RaftEffects effects;
  effects.append_from = log_.last();
  effects.flush = true;
  return effects;
}

RaftPeer& RaftCore::peer(RaftMember member) { return *std::ranges::find(peers_, member, &RaftPeer::member); }

RaftEffects RaftCore::reconnected(RaftMember member) {
  RaftEffects effects;
  if (!leads()) return effects;
  RaftPeer& one = peer(member);
  one.probe_from(one.match == no_offset ? one.next : one.match.next());
  effects.flush = true;
  return effects;
}

// --- answers

void RaftCore::take(RaftMember from, const RaftAppendAnswer& answer, TimePoint now, RaftEffects& effects) {
  if (answer.term > term_) {
    if (leads() && !kept(RaftRule::higher_term_ends_leadership)) return;
    const bool led = leads();
    enter_term(answer.term, effects);
    if (led) wait_for_election(now);
    return;
  }
  if (!leads() || (answer.term != term_ && kept(RaftRule::acknowledged_in_this_term))) return;
  RaftPeer& one = peer(from);
  one.acknowledged = std::max(one.acknowledged, kept(RaftRule::lease_counted_from_sending) ? std::min(answer.sent, now) : now);
  if (answer.kind == RaftAppendAnswer::Kind::missing) {
    take_missing(one, answer, now);
  } else if (answer.kind == RaftAppendAnswer::Kind::matched) {
    take_matched(one, answer);
  }
  advance_commit(effects);
  effects.flush = effects.flush || one.next <= log_.last();
}

void RaftCore::take_matched(RaftPeer& peer, const RaftAppendAnswer& answer) {
  peer.matched(std::min(answer.matched, log_.last()));
  const bool installed = peer.state == RaftPeer::State::installing && answer.received >= peer.snapshot.offset;
  if (peer.state == RaftPeer::State::streaming || (peer.state == RaftPeer::State::installing && !installed)) return;
  peer.state = RaftPeer::State::streaming;
  peer.next = std::max(peer.next, std::min(answer.received, log_.last()).next());
  peer.waiting = false;
}

// An answer that comes late may speak of what was settled since: after one lost message all that follow it are missing something.
void RaftCore::take_missing(RaftPeer& peer, const RaftAppendAnswer& answer, TimePoint now) {
  if (peer.state == RaftPeer::State::installing || answer.missing <= peer.match || answer.missing >= peer.next) return;
  if (answer.sent < peer.probed_at) return;
  peer.probed_at = now;
  Offset both = std::min(answer.newest.offset, answer.missing.previous());
  while (both > log_.base().offset && *log_.term_of(both) > answer.newest.term) both = both.previous();
  peer.probe_from(std::max(both, peer.match).next());
}

// What a majority holds is committed only from the barrier on: below it, a later leader may still remove what they hold.
void RaftCore::advance_commit(RaftEffects& effects) {
  std::vector<Offset> held{kept(RaftRule::acknowledged_when_synced) ? persisted_ : log_.last()};
  for (const RaftPeer& each : peers_) held.push_back(each.match);
  std::ranges::sort(held, std::greater());
  const std::size_t needed = kept(RaftRule::majority_commits) ? majority() : std::max(majority() - 1, std::size_t{1});
  const Offset agreed = held[needed - 1];
  if (agreed >= barrier_ || !kept(RaftRule::commit_from_barrier_on)) commit_to(agreed, effects);
}

// --- the lease

TimePoint RaftCore::lease_until() const {
  if (seat_.members == 1) return TimePoint::max();
  std::vector<TimePoint> acknowledged;
  for (const RaftPeer& each : peers_) acknowledged.push_back(each.acknowledged);
  std::ranges::sort(acknowledged, std::greater());
  return acknowledged[majority() - 2] + seat_.timing.lease();
}

TimePoint RaftCore::active_until() const { return std::max(lease_until(), elected_at_ + seat_.timing.lease()); }

// --- sending

std::vector<RaftEffects::Outgoing> RaftCore::appends(TimePoint now) {
  std::vector<RaftEffects::Outgoing> out;
  for (RaftPeer& each : peers_) {
    send_to(each, now, out);
    each.beat_due = false;
  }
  return out;
}

void RaftCore::send_to(RaftPeer& peer, TimePoint now, std::vector<RaftEffects::Outgoing>& out) {
  bool beat_due = peer.beat_due;
  while (!install_on(peer, now, out) && peer.next <= log_.last()) {
    if (peer.waiting && !beat_due) return;
    if (peer.bytes_in_flight >= limits::follower_bytes_in_flight_max || peer.messages_in_flight() >= messages_in_flight_max)
      break;
    out.push_back({peer.member, next_append(peer, now)});
    beat_due = false;
    if (peer.state != RaftPeer::State::probing) continue;
    peer.waiting = true;
    return;
  }
  if (!beat_due) return;
  const EntryId previous = peer.state == RaftPeer::State::installing
                               ? peer.snapshot
                               : EntryId{*log_.term_of(peer.next.previous()), peer.next.previous()};
  out.push_back({peer.member, RaftAppend{term_, previous, {}, commit_, now}});
}

// Whether what the peer needs is in a snapshot, which is then on its way.
bool RaftCore::install_on(RaftPeer& peer, TimePoint now, std::vector<RaftEffects::Outgoing>& out) {
  const bool installing = peer.state == RaftPeer::State::installing;
  if (installing && now - peer.snapshot_sent < seat_.timing.snapshot_patience) return true;
  if (!installing && peer.next >= log_.first()) return false;
  peer.probe_from(peer.next);
  peer.state = RaftPeer::State::installing;
  peer.snapshot = {*log_.term_of(commit_), commit_};
  peer.snapshot_sent = now;
  out.push_back({peer.member, RaftSnapshot{term_, peer.snapshot, nullptr, now}});
  return true;
}

// A probe is sent again from the same place until it is answered.
RaftAppend RaftCore::next_append(RaftPeer& peer, TimePoint now) const {
  const Offset before = peer.next.previous();
  RaftAppend message{term_, {*log_.term_of(before), before}, {}, commit_, now};
  std::size_t bytes = 0;
  for (Offset at = peer.next; at <= log_.last() && message.entries.size() < seat_.message_entries_max; at = at.next()) {
    const RaftEntry& entry = log_.at(at);
    if (!message.entries.empty() && bytes + entry.payload->size() > limits::append_bytes_max) break;
    bytes += entry.payload->size();
    message.entries.push_back(entry);
  }
  if (peer.state == RaftPeer::State::streaming) peer.sent(message.last(), bytes);
  return message;
}

}   // namespace skerry::control
