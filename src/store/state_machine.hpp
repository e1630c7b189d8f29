// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "store/engine.hpp"
#include "store/key_order.hpp"
#include "store/notification.hpp"
#include "store/operations.hpp"
#include "store/shard_bookkeeping.hpp"

namespace skerry::store {

class Overlay;

// A read that an evaluation could not make because the engine has it on disk. Hand all of them to load(), then ask again.
struct Need {
  enum class Kind : std::uint8_t { key, below, at_or_above };
  Kind kind;
  Space space;
  Bytes key;
};
using Needs = std::vector<Need>;

// The outcome of evaluating a request: what to log, and what to answer once that is committed.
struct Proposal {
  Bytes entry;   // encoded effects; empty when nothing changes: then answer when all that was proposed before is committed
  WriteOutcome outcome;
  bool more = false;   // the work did not fit in one entry: evaluate the same again after this
};

// Error: the request is refused as a whole and leaves no trace. What refused it may be in flight, so it is answered like a
// proposal without an entry: when all that was proposed before is committed.
using Evaluation = std::variant<Proposal, Needs, Error>;

// Identifies a request whose retry must learn the first outcome.
struct RequestId {
  Bytes client;
  std::uint64_t sequence = 0;
};

struct SessionInfo {
  SessionId id;
  std::chrono::milliseconds timeout;
  Bytes client_identity;
};

// What applying an entry changed that others follow.
struct Applied {
  std::vector<SessionInfo> sessions_created;
  std::vector<SessionId> sessions_ended;
  std::vector<Bytes> sequence_prefixes;   // that got a new highest key
};

// Walks over keys or records of a range for one client, in committed state as of its creation.
class Scan {
 public:
  enum class State : std::uint8_t { record, end, cold, failed };
  virtual ~Scan() = default;
  virtual State state() const = 0;
  virtual void next() = 0;
  virtual Task<Result<>> load() = 0;
  virtual BytesView key() const = 0;   // the primary key, decoded
  virtual GetOutcome record() const = 0;   // for range scans
  virtual Error error() const = 0;
};

// One shard's deterministic state machine. Evaluation is pure: committed state, what is in flight (the overlay), request,
// offset and stamp in; effects and answers out; no clock, no I/O. Applying effects is blind and never fails.
// Lives on its shard's core; owned by the replica that hosts the shard. The engine must outlive it.
class StateMachine {
 public:
  StateMachine(ShardId shard, KeyOrder order, ShardEngine& engine);
  ~StateMachine();
  // Reads counters and sessions from the engine. Once, before anything else.
  Task<Result<>> open();

  // Whether the request is well formed and within every limit. What fails here must never become an entry.
  Result<> check(const WriteRequest& request) const;
  // Requires: check() passed; `offset` is the next of the log; `stamp` is above last_stamp(). On a Proposal with an entry the
  // effects are in the overlay, and later evaluations see them.
  Evaluation evaluate(const WriteRequest& request, Offset offset, Stamp stamp, const std::optional<RequestId>& id = std::nullopt);
  // The new session's id is shard << 44 | offset, or `given`, one of another shard that this one's records came from. Timeout
  // must be within limits (checked by the caller's check_session()).
  static Result<> check_session(std::chrono::milliseconds timeout, BytesView client_identity);
  Proposal evaluate_create_session(std::chrono::milliseconds timeout, BytesView client_identity, Offset offset, Stamp stamp,
                                   std::optional<SessionId> given = std::nullopt);
  // Ends sessions, by request or expiry, and deletes their ephemeral records. Sessions already ended are skipped. All of them
  // have ended with the first entry; `more` tells that records of theirs are left (see sessions_ending).
  Evaluation evaluate_end_sessions(std::span<const SessionId> sessions, Offset offset, Stamp stamp);
  // The first entry of a term. Earlier entries need not have been applied yet, but nothing else may be evaluated until it is.
  Proposal evaluate_barrier(Offset offset, Stamp stamp, Term term = no_term);
  // One bounded step of cleaning up: index entries, session shadows and expiries that range deletions orphaned, replies that
  // have expired. Call it now and then while sweep_due(); an empty entry means that this step found nothing.
  bool sweep_due(Stamp now) const;
  Evaluation evaluate_sweep(Offset offset, Stamp stamp);
  // Deletes the records whose time has come by `stamp`, with all that is theirs. Asked while expiry_due(); `more` tells that
  // others are due too. An empty entry means that there were none.
  bool expiry_due(Stamp now) const;
  Evaluation evaluate_expire(Offset offset, Stamp stamp);
  // Forgets everything in flight: this replica leads no more.
  void drop_overlay();
  // The engine has taken a staged state, and this is what is in it. What was in flight is forgotten.
  void replaced(ShardBookkeeping bookkeeping);
  Task<Result<>> load(Needs needs);

  // Applies the committed entry at applied().next(). Never fails on an entry that evaluate made; bytes that are no such entry
  // are damage (corrupt).
  Result<Applied> apply(Offset offset, BytesView entry);
  Offset applied() const;
  Stamp last_stamp() const;   // of what is applied or in flight
  VersionId next_version_id() const;
  Term term() const;   // of the last barrier applied; no_term before
  bool session_exists(SessionId session) const;   // committed
  std::vector<SessionInfo> sessions() const;   // committed
  // Committed sessions that have ended while records of theirs are left: a new leader hands them to evaluate_end_sessions().
  std::vector<SessionId> sessions_ending() const;

  // Reads of committed state.
  Result<> check(const Get& get) const;
  Result<> check(const Range& range) const;
  // Error: the engine failed, or holds what is no record (corrupt).
  std::variant<GetOutcome, Needs, Error> get(const Get& get);
  // The commonest get without its copies: the record under a user's key, as decode_record() takes it, borrowed until anything
  // else is asked or applied. Requires: checked.
  Lookup find(BytesView key, BytesView& record);
  // Says which keys find() will be asked for next, at most expected_keys_max.
  void expect(std::span<const BytesView> keys);
  enum class ScanKind : std::uint8_t { keys, records };
  std::unique_ptr<Scan> scan(Range range, ScanKind kind);
  // Highest key made so far from a sequence prefix.
  std::variant<std::optional<Bytes>, Needs, Error> highest_sequence_key(BytesView prefix);

  KeyOrder order() const;

 private:
  struct Members;
  std::unique_ptr<Members> members_;
};

}   // namespace skerry::store
