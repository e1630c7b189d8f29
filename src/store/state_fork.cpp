// SPDX-License-Identifier: Apache-2.0
#include "store/state_fork.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "runtime/core.hpp"
#include "store/reshape_error.hpp"

namespace skerry::store {
namespace {

constexpr std::size_t printed_key_bytes = 128;

Task<Result<>> settle_cursor(Cursor& cursor) {
  while (cursor.state() == Cursor::State::cold) CO_TRYV(co_await cursor.load());
  if (cursor.state() == Cursor::State::failed) co_return fail(cursor.error());
  co_return Result<>{};
}

std::unexpected<Error> collide(SessionId session) {
  return fail(ReshapeError::sessions_collide,
              fmt::format("both shards have a session {}: merge them when its client has gone", session.value()));
}

}  // namespace

StateFork::StateFork(Parts parts) : parts_(std::move(parts)) {
  for (const Child& child : parts_.children) hashes_.push_back(child.hashes);
  for (std::uint8_t space = 0; space < space_count; ++space) {
    auto& of_space = cursors_.emplace_back();
    if (space == 0) continue;
    for (ShardEngine* parent : parts_.parents) of_space.push_back(parent->cursor(Space{space}));
  }
}

Task<Result<>> StateFork::run() {
  CO_TRYV(co_await walk(Space::sessions, [this](BytesView key, Values values) { return take_session(key, values); }));
  CO_TRYV(co_await walk(Space::records, [this](BytesView key, Values values) { return take_record(key, values); }));
  CO_TRYV(co_await walk(Space::requests, [this](BytesView key, Values values) { return take_request(key, values); }));
  co_return co_await take_bookkeeping();
}

Task<Result<>> StateFork::take_bookkeeping() {
  co_return co_await walk(Space::meta, [this](BytesView key, Values values) { return take_bookkeeping(key, values); });
}

// Hears every key once, in order, with its value in each parent that has it.
Task<Result<>> StateFork::walk(Space space, Visitor visit) {
  Core& core = parts_.core;
  auto& cursors = cursors_[static_cast<std::size_t>(space)];
  for (const auto& cursor : cursors) cursor->seek({});
  std::vector<BytesView> values;
  for (;;) {
    if (core.yield_due()) co_await core.yield();
    while (parts_.has_room && !parts_.has_room()) co_await core.sleep_for(10ms);
    const Cursor* lowest = nullptr;
    for (const auto& cursor : cursors) {
      CO_TRYV(co_await settle_cursor(*cursor));
      if (cursor->state() != Cursor::State::record) continue;
      if (lowest == nullptr || cursor->key() < lowest->key()) lowest = cursor.get();
    }
    if (lowest == nullptr) co_return Result<>{};
    const Bytes key(lowest->key());
    const auto has_it = [&key](const auto& cursor) {
      return cursor->state() == Cursor::State::record && cursor->key() == BytesView(key);
    };
    values.clear();
    for (const auto& cursor : cursors)
      if (has_it(cursor)) values.push_back(cursor->value());
    CO_TRYV(visit(key, values));
    for (const auto& cursor : cursors)
      if (has_it(cursor)) cursor->next();
  }
}

Result<> StateFork::take_record(BytesView key, Values values) {
  const Bytes name = decode_key(parts_.order, key);
  if (values.size() > 1) {
    return fail(ReshapeError::foreign_records,
                fmt::format("both shards have a record under {}, by different partition keys: delete one of them first",
                            printable(name, printed_key_bytes)));
  }
  TRY(const RecordView record, decode_record(values.front()));
  TRY(const std::size_t owner, owner_of(hashes_, name, record));
  ShardEngine& child = *parts_.children[owner].engine;
  stage(child, Space::records, key, values.front());
  stage_owned(child, name, record);
  ++records_;
  return {};
}

void StateFork::stage_owned(ShardEngine& child, BytesView name, const RecordView& record) {
  const Bytes owner = encode_owner(record.modified);
  for (const SecondaryIndex& index : record.indexes())
    stage(child, Space::indexes, index_entry_key(parts_.order, index.name, index.key, name), owner);
  if (record.session) stage(child, Space::shadows, shadow_key(*record.session, name), owner);
  if (record.expires_millis) stage(child, Space::expiries, expiry_key(*record.expires_millis, name), owner);
}

Result<> StateFork::take_session(BytesView key, Values values) {
  TRY(const SessionId session, decode_session_key(key));
  if (values.size() > 1) return collide(session);
  stage_all(Space::sessions, key, values.front());
  return {};
}

// Of two replies for one place the newer is kept, as the place itself would.
Result<> StateFork::take_request(BytesView key, Values values) {
  BytesView newest = values.front();
  TRY(RequestSlot slot, decode_request_slot(newest));
  for (const BytesView value : values.subspan(1)) {
    TRY(const RequestSlot other, decode_request_slot(value));
    if (other.stamp <= slot.stamp) continue;
    slot = other;
    newest = value;
  }
  stage_all(Space::requests, key, newest);
  return {};
}

Result<> StateFork::take_bookkeeping(BytesView key, Values values) {
  if (key == meta_counters) {
    TRY(Counters counters, decode_counters(values.front()));
    for (const BytesView value : values.subspan(1)) {
      TRY(const Counters other, decode_counters(value));
      counters.last_stamp = std::max(counters.last_stamp, other.last_stamp);
      counters.next_version_id = std::max(counters.next_version_id, other.next_version_id);
      counters.last_range_deletion = std::max(counters.last_range_deletion, other.last_range_deletion);
    }
    stage_all(Space::meta, key, encode_counters(counters));
  } else if (key == meta_term) {
    TRY(Term term, decode_term(values.front()));
    for (const BytesView value : values.subspan(1)) {
      TRY(const Term other, decode_term(value));
      term = std::max(term, other);
    }
    stage_all(Space::meta, key, encode_term(term));
  } else if (key == meta_swept && values.size() == parts_.parents.size()) {
    // One parent that was never swept, or less far, has the say: sweeping again harms nobody.
    TRY(Stamp swept, decode_swept(values.front()));
    for (const BytesView value : values.subspan(1)) {
      TRY(const Stamp other, decode_swept(value));
      swept = std::min(swept, other);
    }
    stage_all(Space::meta, key, encode_swept(swept));
  }
  return {};
}

void StateFork::stage(ShardEngine& child, Space space, BytesView key, BytesView value) {
  const Write write{Write::Kind::put, space, key, value};
  child.stage({&write, 1});
}

void StateFork::stage_all(Space space, BytesView key, BytesView value) {
  for (const Child& child : parts_.children) stage(*child.engine, space, key, value);
}

Task<Result<>> check_sessions_apart(std::vector<ShardEngine*> parents) {
  Core& core = Core::of(co_await asio::this_coro::executor);
  std::set<Bytes> seen;
  for (ShardEngine* parent : parents) {
    const auto cursor = parent->cursor(Space::sessions);
    cursor->seek({});
    CO_TRYV(co_await settle_cursor(*cursor));
    while (cursor->state() == Cursor::State::record) {
      CO_TRY(const SessionId session, decode_session_key(cursor->key()));
      if (!seen.emplace(cursor->key()).second) co_return collide(session);
      cursor->next();
      CO_TRYV(co_await settle_cursor(*cursor));
      if (core.yield_due()) co_await core.yield();
    }
  }
  co_return Result<>{};
}

}  // namespace skerry::store
