// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "disk/log.hpp"
#include "replica/engine_room.hpp"
#include "replica/entry_cache.hpp"
#include "replica/peers.hpp"
#include "replica/replica_core.hpp"
#include "replica/snapshot_reception.hpp"
#include "replica/stamp_source.hpp"
#include "runtime/clock.hpp"
#include "runtime/core.hpp"
#include "runtime/task_scope.hpp"
#include "store/state_machine.hpp"

namespace skerry::replica {

// Hears what becomes of a replica, in order. Must not call back into the driver but for what only looks, unless it says so.
class ReplicaListener {
 public:
  virtual ~ReplicaListener() = default;
  virtual void on_committed(Offset up_to) = 0;                 // before it is applied
  virtual void on_applied(Offset offset, BytesView entry, const store::Applied& applied) = 0;
  virtual void on_applied_all() = 0;                           // nothing more is committed for now
  virtual void on_replaced(Offset offset) = 0;                 // the state is another: that after this entry
  virtual void on_serving() = 0;                               // leads, and all of older terms is applied
  virtual void on_lost() = 0;   // leads no more: what it has proposed and is not applied is in doubt
  virtual void on_failed(const Error& reason) = 0;   // log or engine can keep nothing more
};

// Carries out what the replication core of one shard decides: on the node's log, on the shard's state and towards other nodes.
// The only one that talks to the core. In every role the same: entries come in, from the shard's own evaluation or from a leader,
// are logged and sent on in one go, and applied once they are committed. Owned by its shard, on its core.
class ReplicaDriver final : private disk::LogListener, private TurnHook, private Timer {
 public:
  struct Parts {
    Core& core;
    disk::Log& log;
    ShardId shard;
    store::ShardEngine& state;
    store::StateMachine& machine;
    ReplicaCore& replica;
    ReplicaListener& listener;
    Peers* peers;   // null: a cluster of one
    std::function<Result<>()> engine_health;   // asked after each entry; null: it never fails
    EngineRoom room;
    // Makes the engine durable before a view of it is pinned for long; null: that is not needed.
    std::function<Task<Result<>>()> checkpoint = nullptr;
    std::uint64_t* changes = nullptr;   // see ShardOptions
  };
  explicit ReplicaDriver(Parts parts);
  ~ReplicaDriver() override;

  // What is to be known of the log's uncommitted end. Once, before anything else but construction.
  Task<Result<>> open();
  Task<> stop();

  // --- the leader's own
  // Logs an entry that was evaluated for next_offset(), and sends it. Nothing has changed when it fails, as Log::append does.
  Result<Offset> propose(Bytes entry);
  Offset next_offset() const { return parts_.replica.last().next(); }
  // Above all that is applied or logged.
  Result<Stamp> next_stamp();
  // Whether requests may be evaluated and reads answered now.
  bool serves();

  // --- the coordinator's. They return what the core says, once what it says is durable.
  Task<Result<NewTermAnswer>> new_term(NewTerm asked);
  Result<> become_leader(BecomeLeader told);
  // Whether the change is confirmed already; ask again later if not: asking twice changes nothing.
  Result<bool> change_members(ChangeMembers told);
  // The coordinator vouches that all up to the log's last entry, this one, is committed. Returns when it is applied.
  Task<Result<>> vouched(EntryId last);
  // All of this at once, for a node that is a cluster by itself. Returns when it serves.
  Task<Result<>> lead_alone(Term term);

  // --- other nodes'. `entries` are borrowed for the call.
  Result<> append(NodeId from, const Append& message, std::span<const BytesView> entries);
  void answered(NodeId from, const AppendAnswer& answer);
  void hear(Term term);
  void probe(NodeId node);
  // Takes the state that the leader on `from` sends, unless what is here is as good. Returns when this replica stands at its
  // entry for good. `head` is the block.
  Task<Result<>> receive_snapshot(NodeId from, SnapshotHeader header, Bytes head, ArrivingSnapshot& blocks);
  // Of the state as it is now.
  Task<Result<std::unique_ptr<store::SnapshotSource>>> snapshot();
  // The oldest entry that will be wanted by who is being sent a snapshot.
  std::optional<Offset> wanted_after_snapshots() const;

  // It keeps nothing more from now on: the log, the engine or the disk can't. Of several replicas another has to lead.
  void fail_with(Error reason);
  const std::optional<Error>& failure() const { return failure_; }   // why it keeps nothing more
  std::uint64_t replayed_entries() const { return replayed_entries_; }
  std::uint64_t replayed_bytes() const { return replayed_bytes_; }
  std::uint64_t entries_logged() const { return entries_logged_; }
  std::uint64_t bytes_logged() const { return bytes_logged_; }

 private:
  static constexpr Duration tick_interval_min = 5ms;
  static constexpr Duration commit_news_delay = 5ms;   // nobody waits for it: followers answer no reads
  // What a follower is brought up with from the log shares streams, cores and disks with what clients wait for: little of it is
  // under way at a time, in messages that nobody works on for long.
  static constexpr std::size_t feed_bytes_max = 256 << 10, feed_entries_max = 256;
  static constexpr Duration feed_pause = 1ms;   // while as much is under way
  struct Logged {
    disk::Sequence sequence;
    LogPosition position;
  };
  struct Incoming {
    Offset first;
    std::span<const BytesView> entries;
  };

  void on_synced(disk::Sequence up_to) override;
  void on_stopped(const Error& reason) override;
  void on_turn_end() override;
  void on_due() override;
  TimePoint now() const { return parts_.core.clock().now(); }
  void arm_tick();

  // Tells followers that more is committed when no entry has done so for a while.
  struct CommitNews final : Timer {
    explicit CommitNews(ReplicaDriver& owner) : driver(owner) {}
    void on_due() override { driver.send_to_all(true); }
    ReplicaDriver& driver;
  };
  void send_to_all(bool commit_alone);

  void note_change() {
    if (parts_.changes != nullptr) ++*parts_.changes;
  }

  // --- effects
  struct Sending {
    std::uint64_t number;   // one to a node may end after the next has begun
    TaskScope::Handle task;
    Offset offset = no_offset;   // of the state; no_offset before it is its turn
  };
  class SendingPlace;

  void carry_out(Effects effects, Incoming incoming = {});
  Result<> change_log(const Effects& effects, Incoming incoming);
  void logged(disk::Sequence sequence);
  Result<> propose_barrier();
  // --- applying
  void apply_committed();
  void applied_to(Offset offset);
  Result<> apply(Offset offset, BytesView entry);
  Task<> catch_up();
  Task<Result<>> apply_from_log();
  Result<> apply_logged(Offset due, const disk::LogEntry& entry);

  // --- sending
  void send_soon() { parts_.core.at_turn_end(*this); }
  void send_to(NodeId node, bool commit_alone);
  void send_entries(NodeId node, const SendPlan& plan, std::size_t bytes);
  Task<> feed(NodeId node);
  Task<bool> send_from_log(NodeId node);
  std::size_t send_some(NodeId node, const SendPlan& plan, std::span<const disk::LogEntry> entries);
  std::size_t bytes_in_flight(NodeId node) const;
  void trim_cache();

  // --- snapshots (replica_snapshots.cpp)
  void begin_snapshot(NodeId node);
  Task<> send_snapshot(Term term, NodeId node, std::uint64_t number);
  Task<Result<std::unique_ptr<store::SnapshotSource>>> open_snapshot(Term term, NodeId node, std::uint64_t number);
  Sending* find_sending(Term term, NodeId node, std::uint64_t number);
  void stop_snapshots();
  Result<> log_installation(EntryId entry);
  Task<> install(disk::Sequence logged);

  Parts parts_;
  StampSource stamps_;
  Stamp newest_stamp_{};   // of what is logged
  EntryCache cache_;
  std::deque<Logged> logged_;   // not synced yet: one for each turn
  bool turn_open_ = false;   // the newest of them is this turn's
  bool catching_up_ = false;   // applies from the log, in a task
  bool installing_ = false;   // the log says that the state is another, and is not synced yet
  SnapshotReception reception_;
  CommitNews commit_news_{*this};
  std::uint64_t sendings_ = 0;   // so far
  std::map<std::pair<Term, NodeId>, Sending> sending_;   // are being sent the state, in which term of ours
  std::set<NodeId> feeding_;   // are being sent what is read from the log
  std::vector<BytesView> views_;   // what goes into the next message; kept for its room
  std::optional<NewTermAnswer> answer_;
  std::optional<Error> failure_;
  WaitList changed_;   // woken by answers, by serving, by failure, and where all that is committed is applied
  std::uint64_t replayed_entries_ = 0, replayed_bytes_ = 0, entries_logged_ = 0, bytes_logged_ = 0;
  TaskScope tasks_;
};

}   // namespace skerry::replica
