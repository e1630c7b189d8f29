// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "disk/log.hpp"
#include "replica/messages.hpp"
#include "replica/node_leases.hpp"
#include "replica/notification_follower.hpp"
#include "replica/peers.hpp"
#include "replica/replica_core.hpp"
#include "replica/sequence_follower.hpp"
#include "replica/shard_error.hpp"
#include "replica/shard_use.hpp"
#include "replica/ticket.hpp"
#include "runtime/clock.hpp"
#include "store/state_machine.hpp"

namespace skerry::replica {

// What to do when the engine's durable state is ahead of the log: the log was lost or cut behind our back.
enum class LogBehind {
  refuse,   // corrupt: the operator must decide
  adopt,    // carry on from the engine's state; for a log that runs without syncs and may lose its tail to a power failure
};

// A replica's place among others.
struct Seat {
  NodeId self;
  NodeLeases* leases = nullptr;   // of its node; both outlive the shard
  Peers* peers = nullptr;
};

struct ShardOptions {
  // With others: it waits to be told by a coordinator whether it leads or follows. Nothing: it is its own coordinator, and leads.
  std::optional<Seat> seat = std::nullopt;
  store::KeyOrder order = store::KeyOrder::hierarchical;
  bool notifications = true;
  std::size_t notification_ring_bytes = 4 << 20;
  Term term_above = no_term;   // the new term is higher than this, and than any in the log
  LogBehind log_behind = LogBehind::refuse;
  // Whether the engine can be trusted, asked after each entry that it was given; a ShardGroup asks its own. Null: always.
  std::function<Result<>()> engine_health = nullptr;
  // Asked whether it has room for more; a ShardGroup gives its own. Null: it always has.
  const store::Engine* engine = nullptr;
  // Asked before a view of the state is pinned for long; a ShardGroup lets its engine write what it holds in memory. Null:
  // nothing.
  std::function<Task<Result<>>()> checkpoint = nullptr;
  // Rises with whatever may change what status() tells, but for the time that goes by. A ShardGroup gives its own. Null: nobody
  // looks.
  std::uint64_t* changes = nullptr;
};

// What opening a shard had to do.
struct RecoveryReport {
  Term term;   // the new one
  Offset durable = no_offset;   // what the engine held
  Offset barrier = no_offset;   // the first entry of the new term
  std::uint64_t replayed_entries = 0;   // from the log, above `durable`
  std::uint64_t replayed_bytes = 0;
  Duration took{};
};

// Figures of a shard, counted since it was opened.
struct ShardFigures {
  Offset head = no_offset, commit = no_offset;
  std::size_t sessions = 0, followers = 0;
  std::size_t entries_in_flight = 0, bytes_in_flight = 0, queued = 0;
  std::uint64_t puts = 0, deletes = 0, delete_ranges = 0, gets = 0, lists = 0, range_scans = 0, sequence_follows = 0;
  std::uint64_t sessions_created = 0, sessions_expired = 0, sessions_closed = 0;
  std::uint64_t notifications_read = 0, notification_batches_read = 0;
  std::uint64_t entries_logged = 0, bytes_logged = 0;
  std::uint64_t reads() const { return gets + lists + range_scans; }
  std::uint64_t writes() const { return puts + deletes + delete_ranges; }
};

constexpr Duration stop_patience = 10s;
constexpr Duration seal_patience = 20s;

// What a replica of a shard tells whoever looks after it.
struct ReplicaStatus {
  struct Follower {
    NodeId node;
    FollowerProgress::Mode mode;
    Offset matched;
  };
  ReplicaCore::Role role;
  Term term;
  MembershipVersion version;
  std::optional<MembershipVersion> confirmed;   // of a leader: everything up to the switch to it is committed under it
  EntryId head;
  Offset commit = no_offset, applied = no_offset, durable = no_offset;   // durable: in the engine
  std::optional<NodeId> leader;
  std::vector<Follower> followers;   // of a leader
  std::optional<Error> failure;   // log or engine can keep nothing more
  bool sealed = false;   // it leads and takes nothing more into the log
};

// One replica of a shard: the state machine and the replication core over the node's log and engine. While it leads it serves:
// reads see committed state; writes are evaluated in the order proposed, logged, and answered in that order once committed. Lives
// on one core; owned by its ShardGroup. open() recovers, and begins a term where the shard stands alone; stop() finishes what is
// in flight. Log and engine must outlive it, and it must outlive the followers and scans it hands out.
class Shard {
 public:
  // Alone: replays the log above the engine's state, records a term higher than any before, commits a barrier in it.
  static Task<Result<std::unique_ptr<Shard>>> open(Core& core, disk::Log& log, store::ShardEngine& engine, ShardId id,
                                                   ShardOptions options);
  ~Shard();

  // --- writes
  // Evaluates and logs the request, or queues a copy of it behind what still waits for cold keys. Never awaits; what is refused
  // comes back as a ticket that is ready. Wait for room first: without it the request is refused with resource_exhausted.
  Ticket propose(const store::WriteRequest& request, const std::optional<store::RequestId>& id = std::nullopt);
  // Whether little enough is in flight (limits::shard_entries_in_flight_max, shard_bytes_in_flight_max).
  bool has_room() const;
  Task<> wait_for_room();
  // Room, proposal and outcome in one. What the request borrows must live until this returns; so must `stages`, where the times
  // of the write's stages go, unless that is null.
  Task<Result<store::WriteOutcome>> write(store::WriteRequest request, std::optional<store::RequestId> id = std::nullopt,
                                          WriteStages* stages = nullptr);

  // --- sessions
  // `given`: the id that another shard, made of the same one as this, has given it.
  Task<Result<SessionId>> create_session(std::chrono::milliseconds timeout, Bytes client_identity,
                                         std::optional<SessionId> given = std::nullopt);
  Result<> keep_alive(SessionId session);   // fails with session_not_found
  Task<Result<>> close_session(SessionId session);   // fails with session_not_found; deletes its ephemeral records
  // Ends sessions that were silent for their timeout. Called every session_tick by the group.
  void expire_sessions();
  // Deletes records whose time has come. Called every session_tick by the group.
  void expire_records();
  // A step of housekeeping in the state, when some is due. Called now and then by the group.
  void sweep();

  // --- reads of committed state. What a Get borrows must live until the answer.
  std::optional<Result<store::GetOutcome>> try_get(const store::Get& get);   // nothing: cold, await get()
  // The record under a key, borrowed until anything else is asked; false when try_get() has to answer: cold, absent, or not well
  // asked for.
  bool try_find(BytesView key, BytesView& record);
  // Says which keys try_find() will be asked for next, at most store::expected_keys_max.
  void expect(std::span<const BytesView> keys);
  Task<Result<store::GetOutcome>> get(store::Get get);
  // Brings what these would find cold into memory, all at once, so that try_get answers for a while. The gets must live until
  // then.
  Task<Result<>> warm(std::span<const store::Get> gets);
  Result<std::unique_ptr<store::Scan>> scan(store::Range range, store::StateMachine::ScanKind kind);

  // Its whole state, as it is once the engine has written what it holds in memory. To be dropped before the shard stops.
  Task<Result<std::unique_ptr<store::SnapshotSource>>> snapshot();

  // --- followers
  // From after `start_exclusive`; without it, first an empty batch at the commit offset, then what comes after it.
  Result<std::unique_ptr<NotificationFollower>> follow(std::optional<Offset> start_exclusive, NotificationWishes wishes = {});
  Result<std::unique_ptr<SequenceFollower>> follow_sequence(Bytes prefix);

  // --- of replicas; see ReplicaDriver
  // Whether clients may be answered now. Ask again whenever they could have waited.
  bool serves() const;
  std::optional<NodeId> leader() const;   // as far as it knows
  Task<Result<NewTermAnswer>> new_term(NewTerm asked);
  Result<> become_leader(BecomeLeader told);
  Result<bool> change_members(ChangeMembers told);
  // Whoever leads in this term takes no more into the log, and clients are refused as during an election; reads go on. Returns
  // the last entry when all before it is applied. Fails with not_leader. Asked again it lasts from then; after `seal_patience`
  // without, it ends by itself: who asked may be gone.
  Task<Result<EntryId>> seal(Term term);
  Result<> unseal(Term term);   // fails with not_leader
  // Of a fenced replica: its last entry is this one, and all is committed. Returns when it is applied.
  Task<Result<>> vouched(EntryId last);
  Result<> append(NodeId from, const Append& message, std::span<const BytesView> entries);
  void answered(NodeId from, const AppendAnswer& answer);
  void hear(Term term);
  void probe(NodeId node);
  Task<Result<>> receive_snapshot(NodeId from, SnapshotHeader header, Bytes head, ArrivingSnapshot& blocks);
  ReplicaStatus status() const;
  std::uint64_t approximate_bytes() const;   // of its records, on disk and in memory

  // --- for the group
  ShardId id() const;
  store::KeyOrder key_order() const;
  Term term() const;
  Offset commit() const;
  Offset durable() const;   // in the engine: entries above are replayed after a crash
  const RecoveryReport& recovery() const;
  ShardFigures figures() const;
  // The newest entry stamped before `cutoff`, searched in the log; no_offset when there is none. For retention by time.
  Task<Result<Offset>> last_before(WallTime cutoff);
  void trimmed(Offset first_kept);   // the log was
  std::optional<Offset> wanted_after_snapshots() const;   // from the log, by who is being sent one
  // Whether changes may be followed; when not, those who do are ended.
  void allow_followers(bool allowed);
  // Whoever finds the shard for others takes one, see ShardUse.
  ShardUse use();
  bool in_use() const;
  const std::shared_ptr<ShardUses>& uses() const;
  // Returns when nobody holds one. The shard must not be found any more, and may be gone then.
  static Task<> wait_unused(std::shared_ptr<ShardUses> uses) { co_await uses->wait_none(); }
  // No more writes from now on: the engine or the log can't keep them. Of several replicas another has to lead; alone, reads go
  // on.
  void stop_writes(Error reason);
  // The engine may have room again, or a reason why it hasn't.
  void room_changed();

  // Refuses new requests, ends followers, waits until everything in flight is answered; at most `stop_patience` for the log.
  Task<> stop();

 private:
  struct Parts;
  explicit Shard(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}   // namespace skerry::replica
