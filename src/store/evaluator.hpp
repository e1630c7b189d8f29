// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <optional>

#include "store/entry.hpp"
#include "store/shard_state.hpp"
#include "store/state_machine.hpp"

namespace skerry::store {

// One evaluation: reads the shard's state through everything in flight and through its own changes so far, and gathers the
// effects. A key that the engine has on disk counts as absent until all such keys are known; then the evaluation comes to
// nothing but that list. Lives for one call of StateMachine.
class Evaluator {
 public:
  Evaluator(ShardState& state, Offset offset, Stamp stamp);

  WriteOutcome write(const WriteRequest& request);
  void create_session(SessionId session, const SessionRecord& record);
  // Ends all of them, and deletes their records as far as one entry may go. Whether records are left.
  bool end_sessions(std::span<const SessionId> sessions);
  void begin_term(Term term);
  void sweep();
  // Deletes the records whose time has come, as far as one entry may go. Whether more are due.
  bool expire();

  // The outcome that a request with this id had before, if it is remembered.
  std::optional<WriteOutcome> recall(const RequestId& id);
  // What comes of it all. With a proposal the changes are in flight.
  Evaluation finish(EntryKind kind, WriteOutcome outcome = {}, const std::optional<RequestId>& id = std::nullopt);

 private:
  // Reading: evaluator_reads.cpp.
  std::optional<BytesView> find(Space space, BytesView key);          // valid until the next find
  std::optional<RecordView> find_record(BytesView encoded_key);       // valid until the next find; without its value
  std::optional<SessionRecord> find_session(SessionId session);
  std::optional<Bytes> key_below(Space space, const Bytes& bound);    // the greatest key strictly below
  std::optional<Bytes> key_from(Space space, const Bytes& bound);     // the least key at or above
  std::optional<Bytes> engine_key(Space space, Bytes bound, Need::Kind kind);
  bool hidden(Space space, BytesView key, const Overlay::ErasedRange*& by) const;
  void need(Need::Kind kind, Space space, BytesView key);
  void refuse(Error error);
  std::array<const Overlay*, 2> layers() const { return {&staged_, &state_.in_flight}; }   // the younger first
  bool in_flight_or_staged(Space space, BytesView key) const;

  // Writing: evaluator.cpp.
  void expect(std::span<const Put> puts);
  WriteOutcome write_all_or_nothing(const WriteRequest& request);
  std::optional<Rejection> check_guards(std::span<const Guard> guards);
  std::optional<Rejection> take_steps(const WriteRequest& request, WriteOutcome& outcome);
  std::optional<VersionId> version_of(BytesView key);
  void forget_changes();
  PutOutcome put(const Put& put);
  PutOutcome store(const Put& put, BytesView key);
  Status erase(const Delete& request);
  void erase_range(const DeleteRange& range);
  void erase_record(BytesView key, BytesView encoded, const RecordView& record);
  Result<Bytes> next_sequence_key(const Put& put);
  void replace_indexes(BytesView primary, std::span<const SecondaryIndex> before, std::span<const SecondaryIndex> after);
  void replace_shadow(BytesView key, std::optional<SessionId> before, std::optional<SessionId> after);
  void replace_expiry(BytesView key, std::optional<std::uint64_t> before, std::optional<std::uint64_t> after);
  void forget_owned(BytesView start, BytesView end);
  void stage_put(Space space, Bytes key, Bytes value, std::optional<NotificationKind> notification = std::nullopt);
  void stage_erase(Space space, Bytes key, std::optional<NotificationKind> notification = std::nullopt);

  // Sessions, expiry and sweeping: evaluator_sessions.cpp, evaluator_expiry.cpp, evaluator_sweep.cpp.
  bool end_session(SessionId session, std::size_t& records_left);
  void erase_shadowed(BytesView shadow_key, SessionId session);
  void erase_due(BytesView expiry_key, const Expiry& expiry);
  bool sweep_space(Space space, std::size_t& steps_left);
  bool stale(Space space, BytesView key, BytesView value);

  ShardState& state_;
  Offset offset_;
  Stamp stamp_;
  Counters counters_;
  Overlay staged_;
  Bytes effects_;
  Needs needs_;
  std::optional<Error> refusal_;
  bool atomic_ = false;
  ShardState::Sweep sweep_;
  std::optional<std::uint64_t> next_expiry_;       // when expire() has looked
  Bytes key_, record_;                             // of store(), kept for their room
  std::unique_ptr<Cursor> cursors_[space_count];
};

}  // namespace skerry::store
