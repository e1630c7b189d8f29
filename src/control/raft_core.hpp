// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "base/limits.hpp"
#include "base/result.hpp"
#include "control/raft_log.hpp"
#include "control/raft_messages.hpp"
#include "control/raft_peer.hpp"
#include "runtime/random.hpp"

namespace skerry::control {

// Two clocks may run apart by one part in twenty: a leader counts its lease that much shorter than its followers their promise.
struct RaftTiming {
  Duration heartbeat = 100ms;
  Duration election_min = 300ms, election_max = 600ms;   // without a leader, before a coordinator stands
  Duration snapshot_patience = 10s;   // with one that is on its way

  Duration lease() const { return election_min - election_min / 20; }
};

// Who this is among those that agree. All of them must have been given the same number of members.
struct RaftSeat {
  RaftMember self;
  std::uint32_t members = 1;
  RaftTiming timing{};
  std::size_t message_entries_max = limits::append_entries_max;
  std::uint64_t seed = 1;
};

// What a coordinator's disk held when it started.
struct RaftRecovered {
  Term term = no_term;            // highest recorded
  EntryId snapshot{};             // the state that was read; not before the log's base
  RaftLog log{};                  // up to what was synced or later
};

// How far the disk has come: keep it beside what is written, and give it back when that is synced. Cutting reuses offsets; `cuts`
// tells which of them is meant.
struct RaftPosition {
  std::uint64_t cuts = 0;
  Offset last = no_offset;
  Term term = no_term;
};

// What the driver must do, in this order, and before the next event. What goes to the disk goes there in this order too; after
// it, take position().
struct RaftEffects {
  struct Outgoing {
    RaftMember to;
    RaftMessage message;
  };
  bool lost = false;   // leads no more: what it proposed and did not commit is unknown
  bool record = false;   // store term()
  std::optional<EntryId> install;   // state and log become what the snapshot message held
  std::optional<Offset> cut_above;   // forget the stored entries above
  std::optional<Offset> append_from;   // store the entries from here to the log's last
  std::optional<Offset> commit;   // apply the entries up to here, at once
  std::vector<Outgoing> send;
  bool office = false;   // leads, and everything that was committed before is applied
  bool flush = false;   // followers lack something: at the end of the turn send appends()
};

// One coordinator's part in the agreement on a log, in the manner of Raft (Ongaro, Ousterhout 2014). Pure: it is told what
// happened and says what to do; it knows no clock, disk, network or meaning of entries. Owned by its driver.
//
// Unlike there, a term belongs to one candidate: the member at its place modulo their number. Who has made a term durable has
// thereby voted, if it votes at all, for the only one who may ask; nobody's vote need be stored. Before anybody's term rises it
// asks for trial votes. Voters that hear a leader refuse others for election_min, and a leader whom no majority has answered
// within its lease steps down: there are never two in office, as long as clocks run alike.
class RaftCore {
 public:
  enum class Role : std::uint8_t { follower, trying, candidate, leader };   // trying: asks for trial votes

  RaftCore(RaftSeat seat, RaftRecovered recovered, TimePoint now);
  RaftCore(const RaftCore&) = delete;
  RaftCore& operator=(const RaftCore&) = delete;

  // Whether it tries to become the leader; at first it does not. Sitting down ends no leadership.
  void stand() { stands_ = true; }
  void sit();
  // Gives up leading, and lets the others elect at once. Nothing happens when it doesn't lead.
  RaftEffects resign(TimePoint now);

  // --- as the leader
  // The entry that becomes the log's next. Requires: leads().
  RaftEffects propose(std::shared_ptr<const Bytes> payload);
  // What the followers are to be sent now. The driver puts the state as of commit() into snapshots.
  std::vector<RaftEffects::Outgoing> appends(TimePoint now);
  // What was on its way to the member may be lost.
  RaftEffects reconnected(RaftMember member);

  // --- everybody
  // Fails with corrupt when a peer says what no peer may say: nothing has changed then.
  Result<RaftEffects> receive(RaftMember from, const RaftMessage& message, TimePoint now);
  RaftEffects persisted(const RaftPosition& position, TimePoint now);
  RaftEffects tick(TimePoint now);
  TimePoint next_tick() const;
  // A durable snapshot stands for the entries before. Requires: they are committed.
  void drop_before(Offset first_kept) { log_.drop_before(first_kept); }

  RaftPosition position() const { return {cuts_, log_.last(), term_}; }
  Role role() const { return role_; }
  bool leads() const { return role_ == Role::leader; }
  // Whether it leads, knows everything, and nobody else can be doing so.
  bool in_office(TimePoint now) const;
  Term term() const { return term_; }
  std::optional<RaftMember> leader() const { return leader_; }   // also itself
  const RaftLog& log() const { return log_; }
  Offset commit() const { return commit_; }
  Offset persisted() const { return persisted_; }
  Offset barrier() const { return barrier_; }   // of a leader: the first entry of its term
  std::span<const RaftPeer> peers() const { return peers_; }   // of a leader
  RaftMember self() const { return seat_.self; }

 private:
  // --- elections (raft_core.cpp)
  Term next_own_term() const;
  bool may_lead(RaftMember member, Term term) const;
  void enter_term(Term term, RaftEffects& effects);
  void leave_leadership(RaftEffects& effects);
  void wait_for_election(TimePoint now);
  void try_candidacy(TimePoint now, RaftEffects& effects);
  void become_candidate(TimePoint now, RaftEffects& effects);
  bool asks() const { return role_ == Role::trying || (role_ == Role::candidate && asked_); }
  void ask(TimePoint now, RaftEffects& effects);
  void count_votes(TimePoint now, RaftEffects& effects);
  bool is_promised_to_another(RaftMember asker, TimePoint now) const;
  void take(RaftMember from, const RaftVote& vote, TimePoint now, RaftEffects& effects);
  void take(RaftMember from, const RaftVoteAnswer& answer, TimePoint now, RaftEffects& effects);
  void take(RaftMember from, const RaftGaveUp& message, TimePoint now, RaftEffects& effects);
  bool recorded() const { return recorded_term_ >= term_; }
  void commit_to(Offset offset, RaftEffects& effects);

  // --- leading (raft_leader.cpp)
  void lead(TimePoint now, RaftEffects& effects);
  void take(RaftMember from, const RaftAppendAnswer& answer, TimePoint now, RaftEffects& effects);
  void take_matched(RaftPeer& peer, const RaftAppendAnswer& answer);
  void take_missing(RaftPeer& peer, const RaftAppendAnswer& answer, TimePoint now);
  void advance_commit(RaftEffects& effects);
  TimePoint lease_until() const;
  TimePoint active_until() const;
  void send_to(RaftPeer& peer, TimePoint now, std::vector<RaftEffects::Outgoing>& out);
  bool install_on(RaftPeer& peer, TimePoint now, std::vector<RaftEffects::Outgoing>& out);
  RaftAppend next_append(RaftPeer& peer, TimePoint now) const;
  RaftPeer& peer(RaftMember member);

  // --- following (raft_follower.cpp)
  Result<> check(RaftMember from, const RaftMessage& message) const;
  Result<> check_leader(RaftMember from, Term term) const;
  Result<> check(RaftMember from, const RaftAppend& message) const;
  void take(RaftMember from, const RaftAppend& message, TimePoint now, RaftEffects& effects);
  void take(RaftMember from, const RaftSnapshot& message, TimePoint now, RaftEffects& effects);
  bool follow(RaftMember from, Term term, TimePoint sent, TimePoint now, RaftEffects& effects);
  void take_entries(const RaftAppend& message, RaftEffects& effects);
  void cut_above(Offset last_kept, RaftEffects& effects);
  void answer_leader(RaftEffects& effects);

  std::size_t majority() const { return seat_.members / 2 + 1; }
  static void send(RaftMember to, RaftMessage message, RaftEffects& effects) { effects.send.push_back({to, std::move(message)}); }

  const RaftSeat seat_;
  Random random_;
  Role role_ = Role::follower;
  bool stands_ = false;
  Term term_, recorded_term_;
  RaftLog log_;
  Offset persisted_, commit_;
  std::uint64_t cuts_ = 0;

  std::optional<RaftMember> leader_;
  std::optional<RaftMember> promised_to_;   // nobody: somebody that it doesn't remember
  TimePoint promised_until_;
  TimePoint election_at_, ask_again_at_;
  Term asked_term_ = no_term;   // of whoever tries or is a candidate
  bool asked_ = false;   // of a candidate: its term is durable
  std::set<RaftMember> votes_;
  std::optional<RaftMember> vote_due_;   // to the candidate of term_, once that is durable

  // Of a follower.
  Offset matched_ = no_offset;   // equal to the leader's log up to here
  bool answer_due_ = false;
  std::optional<EntryId> missing_;   // asked for and not there
  TimePoint last_sent_{};   // by the leader's clock

  // Of a leader.
  Offset barrier_ = no_offset;
  TimePoint elected_at_{}, beat_at_{};
  std::vector<RaftPeer> peers_;
};

}   // namespace skerry::control
