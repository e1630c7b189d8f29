// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <memory>

#include "runtime/core.hpp"
#include "store/memory_engine.hpp"
#include "store/state_machine.hpp"
#include "store/testing/cold_engine.hpp"

namespace skerry::store::testing {

// A state machine over the memory engine, with a log that is a vector: what the replica does, without any waiting. Entries
// are in flight until commit().
class TestShard {
 public:
  explicit TestShard(KeyOrder order, ShardId shard = ShardId(0), double cold = 0, std::uint64_t seed = 0);

  // Evaluates, loading what is cold; an entry that comes of it is in flight then.
  std::variant<Proposal, Error> write(const WriteRequest& request, const std::optional<RequestId>& id = std::nullopt);
  Proposal create_session(std::chrono::milliseconds timeout, BytesView identity);
  std::variant<Proposal, Error> end_sessions(std::vector<SessionId> sessions);
  std::variant<Proposal, Error> sweep();
  std::variant<Proposal, Error> expire();
  Proposal barrier(Term term);

  std::size_t in_flight() const { return in_flight_.size(); }
  bool anything_in_flight() const { return !in_flight_.empty(); }
  Applied commit();          // the oldest entry in flight
  void commit_all();
  void drop();               // everything in flight
  void restart();            // a new state machine over the same engine
  // Every key and value of every space, readable.
  std::vector<std::string> dump() const;
  // The same after applying the whole log to an empty engine.
  std::vector<std::string> dump_of_replay() const;

  GetOutcome get(const Get& get);
  std::optional<Bytes> highest_sequence_key(BytesView prefix);
  std::vector<GetOutcome> scan(Range range, StateMachine::ScanKind kind = StateMachine::ScanKind::records);
  std::vector<Bytes> list(Range range);

  StateMachine& machine() { return *machine_; }
  const std::vector<Bytes>& log() const { return log_; }   // committed entries
  void advance(std::chrono::milliseconds by) { now_ += by; }
  WallTime now() const { return now_; }
  std::uint64_t times_cold() const { return cold_engine_.times_cold(); }

 private:
  Offset next_offset() const;
  Stamp next_stamp() const { return machine_->last_stamp().after(now_); }
  template <class Evaluate>
  std::variant<Proposal, Error> settle(Evaluate evaluate);
  void propose(const Proposal& proposal);

  KeyOrder order_;
  ShardId id_;
  mutable ManualClock clock_;
  mutable Core core_{CoreId{0}, clock_, 1};
  MemoryEngine engine_;
  ColdEngine cold_engine_;
  std::unique_ptr<StateMachine> machine_;
  std::vector<Bytes> log_;
  std::deque<Bytes> in_flight_;
  WallTime now_{1000ms};
};

}  // namespace skerry::store::testing
