// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "replica/engine_room.hpp"
#include "replica/owned_request.hpp"
#include "replica/replica_driver.hpp"
#include "replica/ticket.hpp"
#include "runtime/clock.hpp"
#include "runtime/task_scope.hpp"
#include "store/state_machine.hpp"

namespace skerry::replica {

// Hears of ends of sessions that did not come about.
class WriteListener {
 public:
  virtual ~WriteListener() = default;
  // These sessions could not be ended, for now.
  virtual void on_sessions_kept(const std::vector<SessionId>& sessions) = 0;
};

struct CreateSession {
  std::chrono::milliseconds timeout;
  Bytes client_identity;
  std::optional<SessionId> given{};   // by another shard; nothing: it gets a new one
};
struct EndSessions {
  std::vector<SessionId> sessions;
};

// What a leading shard does with proposals, from request to answer: queue → evaluate → log → commit → apply → answer, all in the
// order proposed. A request is evaluated at once unless one before it still waits for cold keys. Owned by its shard, on its core,
// which hands on what it hears of its replica.
class WritePipeline final {
 public:
  struct Parts {
    Core& core;
    ShardId shard;
    store::StateMachine& machine;
    ReplicaDriver& replica;
    WriteListener& listener;
    EngineRoom room;
  };
  explicit WritePipeline(Parts parts);
  WritePipeline(const WritePipeline&) = delete;
  WritePipeline& operator=(const WritePipeline&) = delete;

  // --- of the replica
  void committed(Offset up_to);
  void applied(Offset offset);   // one after the other
  void applied_all();
  // This replica leads no more. What is logged and not applied is answered as unknown; what waits, as not applied.
  void lost();

  Ticket propose(const store::WriteRequest& request, const std::optional<store::RequestId>& id);
  Ticket propose(CreateSession request);
  Ticket propose(EndSessions request);
  // A step of the state machine's own housekeeping, unless one is on its way.
  void propose_sweep();
  // Deletes the records whose time has come, unless that is on its way.
  void propose_expiry();
  bool has_room() const;
  Task<> wait_for_room();
  void room_changed();   // the engine's, perhaps

  // From now on new proposals are refused as if this replica did not lead: until then, until unseal(), or until it leads no more.
  // What was taken before goes on; wait_answered() returns when all of it is.
  void seal(TimePoint until) { sealed_until_ = until; }
  void unseal() { sealed_until_.reset(); }
  bool sealed() const { return sealed_until_ && parts_.core.now() < *sealed_until_; }
  Task<> wait_answered();

  // From now on nothing is evaluated: what waits is answered with `reason`, what is logged and not committed as unknown.
  void stop_writes(Error reason);
  // Refuses new proposals with not_serving and returns when everything before is answered. What the log can't take within
  // `patience` (a disk that is full or hangs) is answered as unknown: a stop must end.
  Task<> stop(Duration patience);

  std::size_t in_flight() const { return in_flight_.size(); }
  std::size_t queued() const { return queue_.size(); }
  std::size_t bytes_in_flight() const { return bytes_; }

 private:
  struct Write {
    std::unique_ptr<OwnedRequest> request;
    std::optional<store::RequestId> id;
  };
  struct Sweep {};
  struct Expiry {};
  using Request = std::variant<Write, CreateSession, EndSessions, Sweep, Expiry>;
  struct Queued {
    Request request;
    std::shared_ptr<PendingAnswer> pending;
    std::size_t bytes;
  };
  struct InFlight {
    std::shared_ptr<PendingAnswer> pending;   // null: nobody waits (the barrier)
    std::optional<Result<store::WriteOutcome>> answer;
    std::vector<SessionId> ending;   // to be kept when the entry is lost
    Offset offset = no_offset;   // no_offset: changes nothing, is answered in its turn
    std::size_t bytes = 0;
  };

  std::optional<Error> refusal() const;
  Error not_leading(const char* outcome) const;
  bool must_queue() const { return !queue_.empty() || overlay_stale_; }
  Ticket evaluate_or_queue(Request request, std::shared_ptr<PendingAnswer> pending, std::size_t bytes);
  Ticket wait_in_queue(Request request, std::shared_ptr<PendingAnswer> pending, std::size_t bytes);
  Task<> drain_queue();
  Task<Result<>> commit_part(store::Evaluation part);
  Task<> sweep(Ticket ticket);
  Task<> expire(Ticket ticket);
  store::Evaluation evaluate(const Request& request);
  store::Evaluation evaluate_write(const store::WriteRequest& request, const std::optional<store::RequestId>& id);
  // Logs what was evaluated, or takes the refusal into the order of answers.
  void accept(store::Evaluation evaluation, std::shared_ptr<PendingAnswer> pending, std::size_t bytes,
              std::vector<SessionId> ending);
  Result<> log_entry(InFlight& item, Bytes entry);
  void answer_ready();
  void finish_front();
  void fail_unfinished(const Error& logged, const Error& waiting);
  void drop_all();
  void keep_sessions(const std::vector<SessionId>& sessions);
  void reached(const InFlight& item, WriteStages::Reached WriteStages::* stage) const;
  static void answer(const std::shared_ptr<PendingAnswer>& pending, Result<store::WriteOutcome> outcome);

  Parts parts_;
  std::deque<Queued> queue_;   // not evaluated yet: waits for cold keys or for a clean overlay
  std::deque<InFlight> in_flight_;   // evaluated, in order
  std::size_t bytes_ = 0;   // of both
  bool draining_ = false;
  bool sweeping_ = false;
  bool expiring_ = false;
  // An evaluated entry could not be logged, so its effects are in the overlay by mistake. Nothing is evaluated until
  // everything in flight is applied and the overlay dropped.
  bool overlay_stale_ = false;
  bool stopping_ = false;
  std::optional<TimePoint> sealed_until_;
  std::optional<Error> stopped_;
  WaitList room_, idle_;
  TaskScope tasks_;
};

}   // namespace skerry::replica
