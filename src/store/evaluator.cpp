// SPDX-License-Identifier: Apache-2.0
#include "store/evaluator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/assert.hpp"
#include "base/limits.hpp"
#include "store/expected_keys.hpp"
#include "store/reply.hpp"
#include "store/sequence_key.hpp"

namespace skerry::store {
namespace {

bool matches(std::optional<VersionId> expected, const std::optional<RecordView>& existing) {
  if (!expected) return true;
  return existing ? existing->version_id == *expected : *expected == must_not_exist;
}

// About what the effects of its puts take, unless they have indexes.
std::size_t effect_bytes_of(const WriteRequest& request) {
  constexpr std::size_t around_max = 64;   // a value and a key
  std::size_t bytes = 0;
  for (const Put& put : request.puts) bytes += put.key.size() + put.value.size() + around_max;
  return bytes;
}

// Internal names are hidden from followers of changes as they are from reads.
std::optional<NotificationKind> told(BytesView key, NotificationKind kind) {
  return is_internal(key) ? std::nullopt : std::optional(kind);
}

}  // namespace

Evaluator::Evaluator(ShardState& state, Offset offset, Stamp stamp)
    : state_(state), offset_(offset), stamp_(stamp), counters_(state.tail), sweep_(state.sweep) {
  counters_.last_stamp = stamp;
}

WriteOutcome Evaluator::write(const WriteRequest& request) {
  if (request.atomic) return write_all_or_nothing(request);
  WriteOutcome outcome;
  outcome.puts.reserve(request.puts.size());
  effects_.reserve(effect_bytes_of(request));
  for (std::size_t i = 0; i < request.puts.size(); ++i) {
    if (i % expected_keys_max == 0) expect(request.puts.subspan(i, std::min(expected_keys_max, request.puts.size() - i)));
    outcome.puts.push_back(put(request.puts[i]));
  }
  for (const Delete& one : request.deletes) outcome.deletes.push_back(erase(one));
  for (const DeleteRange& one : request.delete_ranges) {
    erase_range(one);
    outcome.delete_ranges.push_back(Status::ok);
  }
  return outcome;
}

void Evaluator::expect(std::span<const Put> puts) {
  if (puts.size() < 2) return;
  std::array<BytesView, expected_keys_max> keys;
  std::ranges::transform(puts, keys.begin(), &Put::key);
  expect_records(state_, std::span(keys).first(puts.size()));
}

PutOutcome Evaluator::put(const Put& put) {
  if (put.sequence_deltas.empty()) return store(put, put.key);
  if (put.expected_version) return {Status::unexpected_version_id, {}, {}};
  auto key = next_sequence_key(put);
  if (!key) return refuse(std::move(key).error()), PutOutcome{};
  PutOutcome outcome = store(put, *key);
  if (outcome.status != Status::ok) return outcome;
  append_effect({Effect::Action::sequence, Space::records, std::nullopt, put.key, {}}, effects_);
  outcome.key = *std::move(key);
  return outcome;
}

PutOutcome Evaluator::store(const Put& put, BytesView key) {
  key_.clear();
  append_encoded(state_.order, key, key_);
  const std::optional<RecordView> existing = find_record(key_);
  if (!matches(put.expected_version, existing)) return {Status::unexpected_version_id, {}, {}};
  if (put.session) {
    const auto session = find_session(*put.session);
    if (!session || session->ending) return {Status::session_does_not_exist, {}, {}};
  }

  RecordView record;
  record.version_id = put.override_version.value_or(counters_.next_version_id);
  if (!put.override_version) counters_.next_version_id = counters_.next_version_id.next();
  record.modifications = put.override_modifications.value_or(existing ? existing->modifications + 1 : 0);
  record.created = existing ? existing->created : stamp_;
  record.modified = stamp_;
  record.session = put.session;
  if (put.time_to_live) {
    record.expires_millis = stamp_.millis() + static_cast<std::uint64_t>(put.time_to_live->count());
  } else if (put.keep_expiry && existing) {
    record.expires_millis = existing->expires_millis;
  }
  record.client_identity = put.client_identity;
  record.partition_key = put.partition_key;
  record.value = put.value;

  replace_indexes(key, existing ? existing->indexes() : std::vector<SecondaryIndex>{}, put.indexes);
  replace_shadow(key, existing ? existing->session : std::nullopt, put.session);
  replace_expiry(key, existing ? existing->expires_millis : std::nullopt, record.expires_millis);
  record_.clear();
  append_record(record, put.indexes, record_);
  append_effect({Effect::Action::put, Space::records,
                 told(key, existing ? NotificationKind::modified : NotificationKind::created), key_, record_},
                effects_);
  staged_.put(Space::records, key_, BytesView(record_).substr(0, record_.size() - put.value.size()), offset_);
  return {Status::ok, record.version(), std::nullopt};
}

Status Evaluator::erase(const Delete& request) {
  const Bytes encoded = encode_key(state_.order, request.key);
  const std::optional<RecordView> existing = find_record(encoded);
  if (!matches(request.expected_version, existing)) return Status::unexpected_version_id;
  if (!existing) return Status::key_not_found;
  erase_record(request.key, encoded, *existing);
  return Status::ok;
}

void Evaluator::erase_record(BytesView key, BytesView encoded, const RecordView& record) {
  replace_indexes(key, record.indexes(), {});
  replace_shadow(key, record.session, std::nullopt);
  replace_expiry(key, record.expires_millis, std::nullopt);
  stage_erase(Space::records, Bytes(encoded), told(key, NotificationKind::deleted));
}

// One effect whatever the range holds. Followers of changes hear of it even if it holds nothing; the engine doesn't.
void Evaluator::erase_range(const DeleteRange& range) {
  Bytes start = encode_key(state_.order, range.start);
  Bytes end = encode_key(state_.order, range.end);
  append_effect({Effect::Action::erase_range, Space::records, told(range.start, NotificationKind::range_deleted), start, end},
                effects_);
  if (start >= end) return;
  if (atomic_) forget_owned(start, end);
  counters_.last_range_deletion = stamp_;
  staged_.erase_range(std::move(start), std::move(end), offset_);
}

// Entries that stay are written again too, since they name the stamp of their record.
void Evaluator::replace_indexes(BytesView primary, std::span<const SecondaryIndex> before,
                                std::span<const SecondaryIndex> after) {
  if (before.empty() && after.empty()) return;
  const auto keys = [&](std::span<const SecondaryIndex> indexes) {
    std::vector<Bytes> keys;
    for (const SecondaryIndex& index : indexes) keys.push_back(index_entry_key(state_.order, index.name, index.key, primary));
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    return keys;
  };
  std::vector<Bytes> wanted = keys(after);
  for (Bytes& key : keys(before))
    if (!std::binary_search(wanted.begin(), wanted.end(), key)) stage_erase(Space::indexes, std::move(key));
  for (Bytes& key : wanted) stage_put(Space::indexes, std::move(key), encode_owner(stamp_));
}

void Evaluator::replace_shadow(BytesView key, std::optional<SessionId> before, std::optional<SessionId> after) {
  if (before && before != after) stage_erase(Space::shadows, shadow_key(*before, key));
  if (after) stage_put(Space::shadows, shadow_key(*after, key), encode_owner(stamp_));
}

void Evaluator::replace_expiry(BytesView key, std::optional<std::uint64_t> before, std::optional<std::uint64_t> after) {
  if (before && before != after) stage_erase(Space::expiries, expiry_key(*before, key));
  if (after) stage_put(Space::expiries, expiry_key(*after, key), encode_owner(stamp_));
}

Result<Bytes> Evaluator::next_sequence_key(const Put& put) {
  // The search is over encoded keys: a generated key has as many slashes as its prefix.
  const auto last = key_below(Space::records, encode_key(state_.order, sequence_search_bound(put.key)));
  std::optional<Bytes> last_key;
  if (last) last_key = decode_key(state_.order, *last);
  if (last_key && !is_below_sequence(put.key, *last_key)) last_key.reset();
  return make_sequence_key(put.key, put.sequence_deltas, last_key);
}

void Evaluator::stage_put(Space space, Bytes key, Bytes value, std::optional<NotificationKind> notification) {
  append_effect({Effect::Action::put, space, notification, key, value}, effects_);
  staged_.put(space, std::move(key), std::move(value), offset_);
}

void Evaluator::stage_erase(Space space, Bytes key, std::optional<NotificationKind> notification) {
  append_effect({Effect::Action::erase, space, notification, key, {}}, effects_);
  staged_.erase(space, std::move(key), offset_);
}

void Evaluator::create_session(SessionId session, const SessionRecord& record) {
  SessionRecord stored = record;
  stored.version_id = counters_.next_version_id;
  stored.created = stamp_;
  counters_.next_version_id = counters_.next_version_id.next();
  stage_put(Space::sessions, session_key(session), encode_session(stored));
}

void Evaluator::begin_term(Term term) {
  if (term != no_term) append_effect({Effect::Action::put, Space::meta, std::nullopt, meta_term, encode_term(term)}, effects_);
}

std::optional<WriteOutcome> Evaluator::recall(const RequestId& id) {
  if (id.client.empty() || id.client.size() > limits::key_bytes_max) {
    refuse({Errc::invalid_argument, "a request id's client must have 1 to " + std::to_string(limits::key_bytes_max) + " bytes"});
    return std::nullopt;
  }
  const auto value = find(Space::requests, request_slot_key(id.client, id.sequence));
  if (!value) return std::nullopt;
  const auto slot = decode_request_slot(*value);
  if (!slot) return refuse(slot.error()), std::nullopt;
  const bool expired = slot->stamp.millis() + limits::request_window_age.count() < stamp_.millis();
  if (expired || slot->sequence < id.sequence) return std::nullopt;
  if (slot->sequence > id.sequence) {
    refuse({Errc::aborted, "request " + std::to_string(id.sequence) + " of client " + printable(id.client) +
                               " is older than the last " + std::to_string(limits::request_window_replies) +
                               ", whose outcomes are remembered: whether it took place is unknown"});
    return std::nullopt;
  }
  auto outcome = decode_outcome(slot->reply);
  if (!outcome) return refuse(std::move(outcome).error()), std::nullopt;
  return *std::move(outcome);
}

Evaluation Evaluator::finish(EntryKind kind, WriteOutcome outcome, const std::optional<RequestId>& id) {
  if (!needs_.empty()) return std::move(needs_);
  if (refusal_) return *std::move(refusal_);
  if (effects_.empty() && !id && kind != EntryKind::barrier) {
    state_.sweep = sweep_;
    if (next_expiry_) state_.next_expiry = *next_expiry_;
    return Proposal{{}, std::move(outcome)};
  }

  EntryHeader header{kind, atomic_, stamp_, counters_.next_version_id, std::nullopt};
  Bytes reply;
  if (id) {
    reply = encode_outcome(outcome);
    if (reply.size() > limits::remembered_reply_bytes_max)
      return Error{Errc::resource_exhausted,
                   fmt::format("the answer to this request takes {} bytes; with a request id at most {} are remembered: send "
                               "smaller batches",
                               reply.size(), limits::remembered_reply_bytes_max)};
    header.request = {id->client, id->sequence, reply};
    staged_.put(Space::requests, request_slot_key(id->client, id->sequence), encode_request_slot({id->sequence, stamp_, reply}),
                offset_);
  }
  Proposal proposal{encode_entry(header, effects_), std::move(outcome)};
  if (proposal.entry.size() > limits::entry_bytes_max)
    return Error{Errc::resource_exhausted,
                 fmt::format("the request makes a log entry of {} bytes, at most {} are allowed: send smaller batches",
                             proposal.entry.size(), limits::entry_bytes_max)};
  state_.in_flight.absorb(std::move(staged_));
  state_.tail = counters_;
  state_.evaluated = offset_;
  state_.sweep = sweep_;
  if (next_expiry_) state_.next_expiry = *next_expiry_;
  return proposal;
}

}  // namespace skerry::store
