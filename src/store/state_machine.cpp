// SPDX-License-Identifier: Apache-2.0
#include "store/state_machine.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "base/limits.hpp"
#include "runtime/core.hpp"
#include "store/entry.hpp"
#include "store/evaluator.hpp"
#include "store/expected_keys.hpp"
#include "store/reads.hpp"
#include "store/request_check.hpp"
#include "store/scan.hpp"
#include "store/shard_state.hpp"

namespace skerry::store {
namespace {

constexpr int session_offset_bits = 44;
constexpr std::size_t load_ahead_max = 256;   // neighbours brought into memory with a key that a walk needs

// Moves a cursor that may be cold to where it was sent.
Task<Result<>> settle(Cursor& cursor) {
  while (cursor.state() == Cursor::State::cold) CO_TRYV(co_await cursor.load());
  if (cursor.state() == Cursor::State::failed) co_return fail(cursor.error());
  co_return Result<>{};
}

Task<Result<std::optional<Bytes>>> read(ShardEngine& engine, Space space, Bytes key) {
  for (;;) {
    Bytes value;
    switch (engine.try_get(space, key, value)) {
      case Lookup::value: co_return std::optional(std::move(value));
      case Lookup::absent: co_return std::optional<Bytes>{};
      case Lookup::cold: break;
    }
    std::vector<Bytes> keys{key};
    CO_TRYV(co_await engine.load(space, std::move(keys)));
  }
}

Task<Result<>> load_place(ShardEngine& engine, Need need) {
  const auto cursor = engine.cursor(need.space);
  need.kind == Need::Kind::below ? cursor->seek_below(need.key) : cursor->seek(need.key);
  CO_TRYV(co_await settle(*cursor));
  if (need.kind == Need::Kind::below) co_return Result<>{};
  for (std::size_t i = 0; i < load_ahead_max && cursor->state() == Cursor::State::record; ++i) {
    cursor->next();
    CO_TRYV(co_await settle(*cursor));
  }
  co_return Result<>{};
}

bool answers(const WriteRequest& request, const Rejection& rejection) {
  const std::size_t operations = request.puts.size() + request.deletes.size() + request.delete_ranges.size();
  return request.atomic && rejection.position < (rejection.part == Rejection::Part::guard ? request.guards.size() : operations);
}

Evaluation answer_again(const WriteRequest& request, const RequestId& id, WriteOutcome outcome) {
  if (outcome.rejection && answers(request, *outcome.rejection)) return Proposal{{}, std::move(outcome)};
  if (!outcome.rejection && outcome.puts.size() == request.puts.size() && outcome.deletes.size() == request.deletes.size() &&
      outcome.delete_ranges.size() == request.delete_ranges.size())
    return Proposal{{}, std::move(outcome)};
  return Error{Errc::invalid_argument, "request id " + std::to_string(id.sequence) + " of client " + printable(id.client) +
                                           " was already used for a request with other operations"};
}

SessionInfo info(SessionId id, const SessionRecord& record) { return {id, record.timeout, record.client_identity}; }

}  // namespace

// Applying: what an entry's effects are to the engine, and what they change in memory.
struct StateMachine::Members {
  Members(ShardId shard, KeyOrder order, ShardEngine& engine)
      : state{shard, order, engine, {}, {}, no_term, {}, {}, {}, no_offset, 0, {}} {}

  Result<Applied> apply(Offset offset, BytesView entry);
  Result<> follow(const Effect& effect, Stamp stamp, Applied& applied);
  Result<> follow_session(const Effect& effect, Applied& applied);
  Result<> follow_meta(const Effect& effect);
  Result<> check_effects(const std::vector<Effect>& effects) const;

  ShardState state;
  std::vector<Write> writes;   // of the entry being applied; kept for its room
  Bytes sought;                // of find(), likewise
};

StateMachine::StateMachine(ShardId shard, KeyOrder order, ShardEngine& engine)
    : members_(std::make_unique<Members>(shard, order, engine)) {}
StateMachine::~StateMachine() = default;

Task<Result<>> StateMachine::open() {
  Core& core = Core::of(co_await asio::this_coro::executor);
  ShardEngine& engine = members_->state.engine;
  ShardBookkeeping bookkeeping;
  for (const BytesView name : {meta_counters, meta_term, meta_swept}) {
    CO_TRY(const auto value, co_await read(engine, Space::meta, Bytes(name)));
    if (value) CO_TRYV(bookkeeping.take(Space::meta, name, *value));
  }
  const auto cursor = engine.cursor(Space::sessions);
  cursor->seek({});
  CO_TRYV(co_await settle(*cursor));
  while (cursor->state() == Cursor::State::record) {
    CO_TRYV(bookkeeping.take(Space::sessions, cursor->key(), cursor->value()));
    cursor->next();
    CO_TRYV(co_await settle(*cursor));
    if (core.yield_due()) co_await core.yield();
  }
  replaced(std::move(bookkeeping));
  co_return Result<>{};
}

void StateMachine::replaced(ShardBookkeeping bookkeeping) {
  ShardState& state = members_->state;
  state.committed = bookkeeping.counters;
  state.sessions = std::move(bookkeeping.sessions);
  state.term = bookkeeping.term;
  state.swept = bookkeeping.swept;
  drop_overlay();
}

Task<Result<>> StateMachine::load(Needs needs) {
  ShardEngine& engine = members_->state.engine;
  std::map<Space, std::vector<Bytes>> keys;
  for (Need& need : needs)
    if (need.kind == Need::Kind::key) keys[need.space].push_back(std::move(need.key));
  for (auto& [space, wanted] : keys) CO_TRYV(co_await engine.load(space, std::move(wanted)));
  for (Need& need : needs)
    if (need.kind != Need::Kind::key) CO_TRYV(co_await load_place(engine, std::move(need)));
  co_return Result<>{};
}

// --- evaluation

Result<> StateMachine::check(const WriteRequest& request) const { return check_write(request); }

Result<> StateMachine::check_session(std::chrono::milliseconds timeout, BytesView client_identity) {
  if (timeout < limits::session_timeout_min || timeout > limits::session_timeout_max)
    return fail(Errc::invalid_argument,
                "session timeout of " + std::to_string(timeout.count()) + " ms: it must be between " +
                    std::to_string(std::chrono::milliseconds(limits::session_timeout_min).count()) + " and " +
                    std::to_string(std::chrono::milliseconds(limits::session_timeout_max).count()) + " ms");
  return check_session_identity(client_identity);
}

Evaluation StateMachine::evaluate(const WriteRequest& request, Offset offset, Stamp stamp, const std::optional<RequestId>& id) {
  SKERRY_ASSERT(offset == members_->state.evaluated.next() && stamp > last_stamp());
  Evaluator evaluator(members_->state, offset, stamp);
  if (id)
    if (auto outcome = evaluator.recall(*id)) return answer_again(request, *id, *std::move(outcome));
  WriteOutcome outcome = evaluator.write(request);
  return evaluator.finish(EntryKind::write, std::move(outcome), id);
}

Proposal StateMachine::evaluate_create_session(std::chrono::milliseconds timeout, BytesView client_identity, Offset offset,
                                               Stamp stamp, std::optional<SessionId> given) {
  SKERRY_ASSERT(offset == members_->state.evaluated.next() && stamp > last_stamp());
  SKERRY_ASSERT(check_session(timeout, client_identity).has_value());
  Evaluator evaluator(members_->state, offset, stamp);
  const SessionId session = given.value_or(SessionId(members_->state.shard.value() << session_offset_bits | offset.value()));
  evaluator.create_session(session, {timeout, Bytes(client_identity), {}, {}, false});
  return std::get<Proposal>(evaluator.finish(EntryKind::create_session));
}

Evaluation StateMachine::evaluate_end_sessions(std::span<const SessionId> sessions, Offset offset, Stamp stamp) {
  SKERRY_ASSERT(offset == members_->state.evaluated.next() && stamp > last_stamp());
  Evaluator evaluator(members_->state, offset, stamp);
  const bool more = evaluator.end_sessions(sessions);
  Evaluation evaluation = evaluator.finish(EntryKind::end_sessions);
  if (auto* proposal = std::get_if<Proposal>(&evaluation)) proposal->more = more;
  return evaluation;
}

Proposal StateMachine::evaluate_barrier(Offset offset, Stamp stamp, Term term) {
  SKERRY_ASSERT(offset > members_->state.evaluated && stamp > last_stamp());
  Evaluator evaluator(members_->state, offset, stamp);
  evaluator.begin_term(term);
  return std::get<Proposal>(evaluator.finish(EntryKind::barrier));
}

bool StateMachine::sweep_due(Stamp now) const {
  const ShardState& state = members_->state;
  return state.sweep.running || state.committed.last_range_deletion > state.swept ||
         now.millis() > state.sweep.requests_swept.millis() + limits::request_window_age.count();
}

Evaluation StateMachine::evaluate_sweep(Offset offset, Stamp stamp) {
  SKERRY_ASSERT(offset == members_->state.evaluated.next() && stamp > last_stamp());
  Evaluator evaluator(members_->state, offset, stamp);
  evaluator.sweep();
  return evaluator.finish(EntryKind::sweep);
}

bool StateMachine::expiry_due(Stamp now) const { return members_->state.next_expiry <= now.millis(); }

Evaluation StateMachine::evaluate_expire(Offset offset, Stamp stamp) {
  SKERRY_ASSERT(offset == members_->state.evaluated.next() && stamp > last_stamp());
  Evaluator evaluator(members_->state, offset, stamp);
  const bool more = evaluator.expire();
  Evaluation evaluation = evaluator.finish(EntryKind::expire);
  if (auto* proposal = std::get_if<Proposal>(&evaluation)) proposal->more = more;
  return evaluation;
}

void StateMachine::drop_overlay() {
  ShardState& state = members_->state;
  state.in_flight.clear();
  state.tail = state.committed;
  state.evaluated = state.engine.applied();
  state.sweep = {};
  state.next_expiry = 0;
}

// --- apply

Result<Applied> StateMachine::apply(Offset offset, BytesView entry) { return members_->apply(offset, entry); }

Result<Applied> StateMachine::Members::apply(Offset offset, BytesView encoded) {
  SKERRY_ASSERT(offset == state.engine.applied().next());
  TRY(const Entry entry, decode_entry(encoded));
  TRYV(check_effects(entry.effects));
  const EntryHeader& header = entry.header;

  Applied applied;
  writes.clear();
  for (const Effect& effect : entry.effects) TRYV(follow(effect, header.stamp, applied));
  Bytes slot_key, slot;
  if (header.request) {
    slot_key = request_slot_key(header.request->client, header.request->sequence);
    slot = encode_request_slot({header.request->sequence, header.stamp, header.request->reply});
    writes.push_back({Write::Kind::put, Space::requests, slot_key, slot});
  }
  // A barrier may have been made from older counters than the entries before it.
  state.committed.last_stamp = std::max(state.committed.last_stamp, header.stamp);
  state.committed.next_version_id = std::max(state.committed.next_version_id, header.next_version_id);
  const Bytes counters = encode_counters(state.committed);
  writes.push_back({Write::Kind::put, Space::meta, meta_counters, counters});

  state.engine.apply(writes, offset);
  state.in_flight.settle(writes, offset);
  if (offset >= state.evaluated) {
    state.evaluated = offset;
    state.tail = state.committed;
  }
  return applied;
}

// Everything that could go wrong, before anything changes.
Result<> StateMachine::Members::check_effects(const std::vector<Effect>& effects) const {
  for (const Effect& effect : effects) {
    if (effect.space == Space::sessions) {
      TRYV(decode_session_key(effect.key));
      if (effect.action == Effect::Action::put) TRYV(decode_session(effect.value));
      if (effect.action == Effect::Action::erase_range) return fail(Errc::corrupt, "log entry erases a range of sessions");
    }
    if (effect.space == Space::expiries) {
      TRYV(decode_expiry_key(effect.key));
      if (effect.action == Effect::Action::erase_range) return fail(Errc::corrupt, "log entry erases a range of expiries");
    }
    if (effect.space == Space::meta) {
      if (effect.action != Effect::Action::put) return fail(Errc::corrupt, "log entry erases bookkeeping");
      if (effect.key == meta_term) {
        TRYV(decode_term(effect.value));
      } else if (effect.key == meta_swept) {
        TRYV(decode_swept(effect.value));
      } else {
        return fail(Errc::corrupt, "log entry changes unknown bookkeeping " + printable(effect.key));
      }
    }
  }
  return {};
}

Result<> StateMachine::Members::follow(const Effect& effect, Stamp stamp, Applied& applied) {
  switch (effect.action) {
    case Effect::Action::sequence: applied.sequence_prefixes.emplace_back(effect.key); return {};
    case Effect::Action::put: writes.push_back({Write::Kind::put, effect.space, effect.key, effect.value}); break;
    case Effect::Action::erase: writes.push_back({Write::Kind::erase, effect.space, effect.key, {}}); break;
    case Effect::Action::erase_range:
      if (effect.key >= effect.value) return {};
      writes.push_back({Write::Kind::erase_range, effect.space, effect.key, effect.value});
      if (effect.space == Space::records) state.committed.last_range_deletion = stamp;
      break;
  }
  if (effect.space == Space::sessions) return follow_session(effect, applied);
  if (effect.space == Space::meta) return follow_meta(effect);
  if (effect.space == Space::expiries && effect.action == Effect::Action::put) {
    TRY(const Expiry expiry, decode_expiry_key(effect.key));
    state.next_expiry = std::min(state.next_expiry, expiry.due_millis);
  }
  return {};
}

Result<> StateMachine::Members::follow_session(const Effect& effect, Applied& applied) {
  TRY(const SessionId id, decode_session_key(effect.key));
  const auto known = state.sessions.find(id);
  const bool was_live = known != state.sessions.end() && !known->second.ending;
  if (effect.action == Effect::Action::erase) {
    state.sessions.erase(id);
    if (was_live) applied.sessions_ended.push_back(id);
    return {};
  }
  TRY(SessionRecord record, decode_session(effect.value));
  if (record.ending && was_live) applied.sessions_ended.push_back(id);
  if (!record.ending && known == state.sessions.end()) applied.sessions_created.push_back(info(id, record));
  state.sessions[id] = std::move(record);
  return {};
}

Result<> StateMachine::Members::follow_meta(const Effect& effect) {
  if (effect.key == meta_term) {
    TRY(state.term, decode_term(effect.value));
  } else if (effect.key == meta_swept) {
    TRY(state.swept, decode_swept(effect.value));
  }
  return {};
}

// --- what it knows, and reads

Offset StateMachine::applied() const { return members_->state.engine.applied(); }
Stamp StateMachine::last_stamp() const { return members_->state.tail.last_stamp; }
VersionId StateMachine::next_version_id() const { return members_->state.tail.next_version_id; }
Term StateMachine::term() const { return members_->state.term; }
KeyOrder StateMachine::order() const { return members_->state.order; }

bool StateMachine::session_exists(SessionId session) const {
  const auto at = members_->state.sessions.find(session);
  return at != members_->state.sessions.end() && !at->second.ending;
}

std::vector<SessionInfo> StateMachine::sessions() const {
  std::vector<SessionInfo> live;
  for (const auto& [id, record] : members_->state.sessions)
    if (!record.ending) live.push_back(info(id, record));
  return live;
}

std::vector<SessionId> StateMachine::sessions_ending() const {
  std::vector<SessionId> ending;
  for (const auto& [id, record] : members_->state.sessions)
    if (record.ending) ending.push_back(id);
  return ending;
}

Result<> StateMachine::check(const Get& get) const { return check_get(get); }
Result<> StateMachine::check(const Range& range) const { return check_range(range); }
std::variant<GetOutcome, Needs, Error> StateMachine::get(const Get& get) { return Reads(members_->state).get(get); }
Lookup StateMachine::find(BytesView key, BytesView& record) {
  Bytes& encoded = members_->sought;
  encoded.clear();
  append_encoded(members_->state.order, key, encoded);
  return members_->state.engine.find(Space::records, encoded, record);
}
void StateMachine::expect(std::span<const BytesView> keys) { expect_records(members_->state, keys); }
std::variant<std::optional<Bytes>, Needs, Error> StateMachine::highest_sequence_key(BytesView prefix) {
  return Reads(members_->state).highest_sequence_key(prefix);
}
std::unique_ptr<Scan> StateMachine::scan(Range range, ScanKind kind) {
  return make_scan(members_->state, std::move(range), kind);
}

}  // namespace skerry::store
