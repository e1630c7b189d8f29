// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "replica/follower_progress.hpp"
#include "replica/messages.hpp"
#include "replica/node_leases.hpp"
#include "replica/term_history.hpp"

namespace skerry::replica {

// What a replica's own log and engine held when it started.
struct Recovered {
  Term term = no_term;           // highest recorded
  MembershipVersion version{0};  // highest recorded
  Offset last = no_offset;       // newest entry of the log, or the engine's offset where the log holds none
  Offset first{0};               // oldest entry that can be read; after `last` when there is none
  Offset applied = no_offset;    // what the engine stands for; not below first - 1
  TermHistory terms{};           // from `applied` on; the only voter does with the one of `last`
};

// How far the log had come when something was written to it: keep it beside the log's own sequence, and give it back when that is
// synced. Cutting reuses offsets; `cuts` tells which of them is meant.
struct LogPosition {
  std::uint64_t cuts = 0;
  Offset last = no_offset;
  Term term = no_term;
  MembershipVersion version{0};
};

// Entries of one term.
struct EntryRange {
  Term term;
  Offset first, last;
  friend bool operator==(const EntryRange&, const EntryRange&) = default;
};

// What the driver must do, in this order, and before the next event. What goes to the log goes there in this order too; after it,
// take position().
struct Effects {
  struct Answer {
    NodeId to;
    AppendAnswer message;
  };
  // Leads no more: drop the overlay, answer what is proposed above this as unknown, stop sending snapshots.
  std::optional<Offset> lost_above;
  bool record = false;   // log term() and version()
  std::optional<EntryId> install;   // state and log become what the snapshot holds, in one durable step; then applied() is there
  std::optional<Offset> cut_above;   // forget the log's entries above
  std::optional<EntryRange> append;   // log these entries of the message that was given
  std::optional<Offset> commit;   // apply up to here, then call applied()
  std::optional<Answer> answer;   // to the leader
  std::optional<NewTermAnswer> fenced;   // to the coordinator; questions about lower terms are answered as refused
  std::optional<MembershipVersion> confirmed;   // to the coordinator: everything up to the switch is committed under these sets
  bool propose_barrier = false;   // propose() the first entry of the term
  bool serving = false;   // from now on clients are answered while holds_lease()
  bool send = false;   // followers lack something: at the end of the turn call next_send() for each
};

// What a follower is to be sent next.
struct SendPlan {
  enum class Kind : std::uint8_t { append, snapshot };
  Kind kind = Kind::append;
  EntryId previous;
  Term entries_term = no_term;
  Offset last = no_offset;   // of the entries that may go into this message; previous.offset when there are none
};

// One replica's part in the agreement on a shard's log, by the rules of docs/adr/0014. Pure: it is told what happened and says
// what to do; it knows no clock, disk, network or entry content. Owned by its shard; its node's leases must outlive it.
//
// The driver tells it everything that concerns the shard, carries out the effects, and sends to followers: next_send() says from
// where, the driver puts as many of those entries into a message as it has at hand and likes, and sent() makes the message. If it
// has to read them from the log first, it asks next_send() again afterwards.
//
// The own log gives back positions as they become durable; a replica that can't keep its log any more resigns.
class ReplicaCore {
 public:
  enum class Role : std::uint8_t {
    fenced,   // knows a term; neither leads nor follows
    following,
    recovering,   // leads; its barrier is not applied yet, or an older lease may still hold
    serving,
  };

  ReplicaCore(ShardId shard, NodeId self, Recovered recovered, NodeLeases& leases);
  ReplicaCore(const ReplicaCore&) = delete;
  ReplicaCore& operator=(const ReplicaCore&) = delete;

  // --- the coordinator. These fail with aborted when the term or the membership is not the one that counts, and with
  // invalid_argument. The answer follows, as an effect, when the term is durable. Twice is the same as once.
  Result<Effects> new_term(NewTerm asked, TimePoint now);
  // Requires the answer to its NewTerm to have come from this life of the replica. Twice is the same as once.
  Result<Effects> become_leader(BecomeLeader told, TimePoint now);
  Result<Effects> change_members(ChangeMembers told);
  // Vouched for: the fenced replica's whole log, which ends with this entry, is committed.
  Result<Effects> vouched(EntryId last);

  // --- as a leader
  // Takes the next offset of the log. Requires: leads(); of clients' requests also serving and holding the lease.
  EntryId propose();
  // That more is committed is told with the next entries; when it may go alone is the caller's to say, who saves messages by
  // waiting.
  std::optional<SendPlan> next_send(NodeId to, bool commit_alone = true);
  // Some follower lacks this news, and nothing else that it could be sent.
  bool owes_commit_news() const;
  // Requires: an append was planned, and nothing has happened since; `last` is not beyond its.
  Append sent(NodeId to, Offset last, std::size_t bytes, TimePoint now);
  Effects answered(NodeId from, const AppendAnswer& answer, TimePoint now);
  // The connection to the node is new, or its process has restarted.
  Effects probe(NodeId node);
  // The follower stands at the snapshot's entry now, or nobody knows how it ended.
  Effects snapshot_ended(NodeId to, std::optional<Offset> installed);
  // Whether reads may be answered, and requests evaluated. `now` must be taken from the clock after the request arrived.
  bool holds_lease(TimePoint now);

  // --- as a follower. These fail with corrupt when a peer says what no peer may say: nothing has changed then.
  Result<Effects> append(NodeId from, const Append& message, TimePoint now);
  // The whole snapshot has arrived. Without the effect `install` it is of no use any more: drop it.
  Result<Effects> snapshot_arrived(NodeId from, const SnapshotHeader& header, TimePoint now);
  // Whether a snapshot with this header is worth receiving.
  bool wants(const SnapshotHeader& header) const;

  // --- own log, engine and time
  LogPosition position() const { return {cuts_, last_, term_, version_}; }
  Effects persisted(const LogPosition& position, TimePoint now);
  Effects applied(Offset up_to);
  // The log was trimmed. Requires: the engine is durable up to the entry before.
  void trimmed(Offset first_kept);
  // The log takes nothing more: leads no more, and never again in this term.
  Effects resign(TimePoint now);
  // Somebody knows this term.
  Effects hear(Term term, TimePoint now);
  Effects tick(TimePoint now);
  TimePoint next_tick() const;   // TimePoint::max(): nothing is waited for

  NodeId self() const { return self_; }
  Role role() const { return role_; }
  bool leads() const { return role_ == Role::recovering || role_ == Role::serving; }
  Term term() const { return term_; }
  MembershipVersion version() const { return version_; }
  Offset last() const { return last_; }
  std::optional<Term> term_of(Offset offset) const { return terms_.term_of(offset); }   // nothing: not known any more
  EntryId head() const { return {terms_.term_of(last_).value_or(no_term), last_}; }
  Offset commit() const { return commit_; }
  Offset applied() const { return applied_; }
  Offset persisted() const { return persisted_; }   // in the own log
  Offset barrier() const { return barrier_; }   // no_offset until proposed in this term
  std::optional<NodeId> leader() const { return leader_; }
  const Membership& membership() const { return membership_; }   // of a leader
  std::span<const FollowerProgress> followers() const { return followers_; }   // of a leader
  std::optional<MembershipVersion> confirmed_version() const;   // of a leader

 private:
  struct Change {
    Offset switched_at;
    bool confirmed = false;
  };

  // --- terms (replica_core.cpp)
  void enter_term(Term term, MembershipVersion version, TimePoint now, Effects& effects);
  void leave_role(Term next, TimePoint now, Effects& effects);
  void answer_coordinator(TimePoint now, Effects& effects);
  Result<> check_leading(const BecomeLeader& told) const;
  bool recorded() const { return recorded_term_ >= term_ && recorded_version_ >= version_; }
  void commit_to(Offset offset, Effects& effects);
  void serve_if_ready(Effects& effects);

  // --- leading (replica_leader.cpp)
  void set_membership(Membership membership);
  Offset next_for(const EntryId& newest) const;
  FollowerProgress* progress_of(NodeId node);
  const FollowerProgress* progress_of(NodeId node) const;
  template <class ValueOf>
  auto agreed_on(ValueOf value_of) const;
  void advance_commit(Effects& effects);
  void confirm_change(Effects& effects);
  Offset persisted_on(NodeId node) const;
  TimePoint lease_until() const;
  TimePoint promise_of(NodeId node) const;

  // --- following (replica_follower.cpp)
  Result<> check(NodeId from, const Append& message) const;
  Result<> check_leader(NodeId from, Term term, MembershipVersion version) const;
  void follow(NodeId from, Term term, MembershipVersion version, TimePoint now, Effects& effects);
  bool has(const EntryId& entry) const;
  void take_entries(const Append& message, Effects& effects);
  void cut_above(Offset last_kept, Effects& effects);
  void install(EntryId entry, Effects& effects);
  void answer_leader(Effects& effects);
  static Effects fenced_answer(NodeId to, const AppendAnswer& message);
  AppendAnswer about_self(AppendAnswer::Kind kind) const;

  const ShardId shard_;
  const NodeId self_;
  NodeLeases& leases_;

  Role role_ = Role::fenced;
  Term term_, recorded_term_;
  MembershipVersion version_, recorded_version_;
  TermHistory terms_;
  Offset first_, last_, persisted_, commit_, applied_;
  std::uint64_t cuts_ = 0;

  // Whether this life of the replica has entered the term by itself or by the coordinator, and nobody has led it here.
  bool electable_ = false;
  bool coordinator_asks_ = false;   // its answer waits until the term is durable
  Term served_ = no_term;   // the last in which it served, in this life
  TimePoint promised_until_ = TimePoint::min();   // to those that it followed before

  // Of a follower.
  std::optional<NodeId> leader_;   // also of a leader: itself
  Offset matched_ = no_offset;   // equal to the leader's log up to here
  Offset answered_ = no_offset;   // said so
  bool answer_due_ = false;
  std::optional<EntryId> missing_;   // asked for and not there

  // Of a leader.
  Offset barrier_ = no_offset;
  bool waited_ = false;   // no older lease can hold
  TimePoint serve_from_;
  Membership membership_;
  Change change_;
  std::vector<FollowerProgress> followers_;
  TimePoint lease_until_ = TimePoint::min();   // it can only be longer by now
};

}   // namespace skerry::replica
