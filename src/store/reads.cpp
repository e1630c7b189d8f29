// SPDX-License-Identifier: Apache-2.0
#include "store/reads.hpp"

#include <algorithm>

#include "store/internal_view.hpp"
#include "store/sequence_key.hpp"

namespace skerry::store {
namespace {

const GetOutcome nothing_found{Status::key_not_found, {}, {}, {}, {}};

// The least key above `key`.
Bytes successor(Bytes key) {
  key += '\0';
  return key;
}

}  // namespace

Reads::GetResult Reads::get(const Get& get) {
  if (get.index) return finish(by_index(get));
  return finish(get.comparison == Comparison::equal ? equal(get) : nearest(get));
}

Reads::GetResult Reads::finish(GetOutcome outcome) {
  if (!needs_.empty()) return std::move(needs_);
  if (error_) return *std::move(error_);
  return outcome;
}

std::optional<BytesView> Reads::find(Space space, BytesView key) {
  BytesView value;
  switch (state_.engine.find(space, key, value)) {
    case Lookup::value: return value;
    case Lookup::absent: return std::nullopt;
    case Lookup::cold: needs_.push_back({Need::Kind::key, space, Bytes(key)}); return std::nullopt;
  }
  return std::nullopt;
}

bool Reads::move(Cursor& cursor, Space space, BytesView bound, Move move) {
  move == Move::below ? cursor.seek_below(bound) : cursor.seek(bound);
  return settled(cursor, space, bound, move);
}

bool Reads::settled(const Cursor& cursor, Space space, BytesView bound, Move move) {
  if (cursor.state() == Cursor::State::cold)
    needs_.push_back({move == Move::below ? Need::Kind::below : Need::Kind::at_or_above, space, Bytes(bound)});
  if (cursor.state() == Cursor::State::failed) error_ = cursor.error();
  return cursor.state() == Cursor::State::record;
}

GetOutcome Reads::show(BytesView encoded, bool include_value) {
  const auto record = decode_record(encoded);
  if (!record) {
    error_ = record.error();
    return {};
  }
  return {Status::ok, record->version(), include_value ? Bytes(record->value) : Bytes{}, {}, {}};
}

GetOutcome Reads::equal(const Get& get) {
  if (const auto encoded = find(Space::records, encode_key(state_.order, get.key))) return show(*encoded, get.include_value);
  return is_internal(get.key) ? internal(get) : nothing_found;
}

GetOutcome Reads::internal(const Get& get) {
  const auto shown = [&](InternalRecord record) {
    return GetOutcome{Status::ok, std::move(record.version), get.include_value ? std::move(record.value) : Bytes{}, {}, {}};
  };
  for (InternalRecord& record : show_counters(state_))
    if (record.key == get.key) return shown(std::move(record));
  if (const auto id = parse_session_name(get.key)) {
    const auto at = state_.sessions.find(*id);
    return at == state_.sessions.end() ? nothing_found : shown(show_session(*id, at->second));
  }
  std::optional<BytesView> owner;
  Bytes primary;
  if (auto shadow = parse_shadow_name(get.key)) {
    owner = find(Space::shadows, shadow_key(shadow->session, shadow->key));
    primary = std::move(shadow->key);
  } else if (auto entry = parse_index_entry_name(get.key)) {
    owner = find(Space::indexes, index_entry_key(state_.order, entry->name, entry->secondary, entry->primary));
    primary = std::move(entry->primary);
  }
  return owner && owner_stands(*owner, primary) ? GetOutcome{} : nothing_found;
}

// Whether the record that an index entry or shadow belongs to is still there.
bool Reads::owner_stands(BytesView value, BytesView primary) {
  const auto owner = decode_owner(value);
  if (!owner) {
    error_ = owner.error();
    return false;
  }
  const auto encoded = find(Space::records, encode_key(state_.order, primary));
  if (!encoded) return false;
  const auto record = decode_record(*encoded);
  if (!record) error_ = record.error();
  return record && record->modified == *owner;
}

GetOutcome Reads::nearest(const Get& get) {
  const Bytes encoded = encode_key(state_.order, get.key);
  const BytesView internal = internal_start(state_.order);
  const bool below = get.comparison == Comparison::floor || get.comparison == Comparison::lower;
  const bool past = get.comparison == Comparison::floor || get.comparison == Comparison::higher;
  Bytes bound = past ? successor(encoded) : encoded;
  if (below && bound > internal) bound = internal;
  const auto cursor = state_.engine.cursor(Space::records);
  if (!move(*cursor, Space::records, bound, below ? Move::below : Move::at_or_above)) return nothing_found;
  if (cursor->key() >= internal) return nothing_found;
  GetOutcome outcome = show(cursor->value(), get.include_value);
  outcome.key = decode_key(state_.order, cursor->key());
  return outcome;
}

// --- over an index, in the order of its entries

GetOutcome Reads::by_index(const Get& get) {
  const auto cursor = state_.engine.cursor(Space::indexes);
  // Every entry of the secondary key starts so, and nearly nothing else.
  Bytes start = index_prefix(*get.index);
  append_encoded_part(state_.order, Bytes(get.key) + '\x01', start);

  std::optional<IndexEntry> entry;
  switch (get.comparison) {
    case Comparison::equal: entry = entry_equal(*cursor, start, get.key); break;
    case Comparison::floor:
      entry = entry_equal(*cursor, start, get.key);
      if (!entry && needs_.empty()) entry = entry_below(*cursor, *get.index, start);
      break;
    case Comparison::lower: entry = entry_below(*cursor, *get.index, start); break;
    case Comparison::ceiling: entry = entry_from(*cursor, *get.index, start, {}); break;
    case Comparison::higher: entry = entry_from(*cursor, *get.index, start, start); break;
  }
  if (!entry || !needs_.empty()) return nothing_found;
  const auto encoded = find(Space::records, encode_key(state_.order, entry->primary));
  if (!encoded) return nothing_found;
  GetOutcome outcome = show(*encoded, get.include_value);
  outcome.key = std::move(entry->primary);
  outcome.secondary_key = std::move(entry->secondary);
  return outcome;
}

// The entry under the cursor, unless a range deletion orphaned it.
std::optional<IndexEntry> Reads::live_entry(const Cursor& cursor) {
  auto entry = decode_index_entry(state_.order, cursor.key());
  if (!entry) {
    error_ = std::move(entry).error();
    return std::nullopt;
  }
  if (!owner_stands(cursor.value(), entry->primary)) return std::nullopt;
  return *std::move(entry);
}

std::optional<IndexEntry> Reads::entry_equal(Cursor& cursor, const Bytes& start, BytesView secondary) {
  bool standing = move(cursor, Space::indexes, start, Move::at_or_above);
  while (standing && needs_.empty() && cursor.key().starts_with(start)) {
    auto entry = live_entry(cursor);
    if (entry && entry->secondary == secondary) return entry;
    const Bytes past = successor(Bytes(cursor.key()));
    cursor.next();
    standing = settled(cursor, Space::indexes, past, Move::at_or_above);
  }
  return std::nullopt;
}

std::optional<IndexEntry> Reads::entry_from(Cursor& cursor, BytesView index, const Bytes& start, BytesView other_than) {
  const Bytes prefix = index_prefix(index);
  bool standing = move(cursor, Space::indexes, start, Move::at_or_above);
  while (standing && needs_.empty() && cursor.key().starts_with(prefix)) {
    // Of the secondary key itself is what starts so and has no second separator behind it.
    const bool excluded = !other_than.empty() && cursor.key().starts_with(other_than) &&
                          cursor.key().substr(other_than.size()).find('\x01') == BytesView::npos;
    if (!excluded)
      if (auto entry = live_entry(cursor)) return entry;
    const Bytes past = successor(Bytes(cursor.key()));
    cursor.next();
    standing = settled(cursor, Space::indexes, past, Move::at_or_above);
  }
  return std::nullopt;
}

std::optional<IndexEntry> Reads::entry_below(Cursor& cursor, BytesView index, const Bytes& start) {
  const Bytes prefix = index_prefix(index);
  bool standing = move(cursor, Space::indexes, start, Move::below);
  while (standing && needs_.empty() && cursor.key().starts_with(prefix)) {
    if (auto entry = live_entry(cursor)) return entry;
    const Bytes bound(cursor.key());
    cursor.previous();
    standing = settled(cursor, Space::indexes, bound, Move::below);
  }
  return std::nullopt;
}

std::variant<std::optional<Bytes>, Needs, Error> Reads::highest_sequence_key(BytesView prefix) {
  const auto cursor = state_.engine.cursor(Space::records);
  const Bytes bound = encode_key(state_.order, sequence_search_bound(prefix));
  std::optional<Bytes> highest;
  if (move(*cursor, Space::records, bound, Move::below)) highest = decode_key(state_.order, cursor->key());
  if (!needs_.empty()) return std::move(needs_);
  if (error_) return *std::move(error_);
  if (highest && !is_sequence_key(prefix, *highest)) highest.reset();
  return highest;
}

}  // namespace skerry::store
