// SPDX-License-Identifier: Apache-2.0
#include "disk/log_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.hpp"

namespace skerry::disk {
namespace {

std::unexpected<Error> refuse(const RecordHeader& record, std::string why) {
  return fail(Errc::invalid_argument, fmt::format("shard {}: {} at offset {}, term {}: {}", record.shard.value(),
                                                  name_of(record.kind), record.offset.value(), record.term.value(), why));
}

constexpr std::uint64_t varint_bytes_max = 10;

// Ids start at -1 (none), so they are stored one higher.
template <class Id>
void append_id(Bytes& out, Id id) {
  append_varint(out, static_cast<std::uint64_t>(id.value() + 1));
}

template <class Id>
Id read_id(ByteReader& reader) {
  const std::uint64_t raw = reader.varint();
  if (raw > static_cast<std::uint64_t>(INT64_MAX)) reader.fail();
  return reader.ok() ? Id(static_cast<std::int64_t>(raw) - 1) : Id(-1);
}

PreviousSegment read_previous(ByteReader& reader) {
  const std::uint64_t generation = reader.varint();
  const std::uint64_t end = reader.varint();
  return {generation, end};
}

}  // namespace

LogShard LogTable::Shard::shown() const {
  return {.term = term,
          .first = empty() ? no_offset : first,
          .last = last,
          .last_term = last_term(),
          .snapshot = snapshot,
          .version = version};
}

void LogTable::Shard::append(const RecordHeader& record, LogPlace place) {
  if (record.term > last_term()) runs.push_back({record.term, record.offset});
  term = std::max(term, record.term);
  last = record.offset;
  const bool near = !std::exchange(point_due, false) && !points.empty() && points.back().place.generation == place.generation &&
                    place.position - points.back().place.position < index_step;
  if (!near) points.push_back({record.offset, place});
}

void LogTable::Shard::truncate(Offset last_kept) {
  last = last_kept;
  point_due = true;
  while (!runs.empty() && runs.back().first > last) runs.pop_back();
  drop_points();
}

void LogTable::Shard::install(Term snapshot_term, Offset offset) {
  term = std::max(term, snapshot_term);
  snapshot = last = offset;
  first = offset.next();
  runs.clear();
  if (offset != no_offset) runs.push_back({snapshot_term, offset});
  points.clear();
}

void LogTable::Shard::trim(Offset first_kept) {
  first = first_kept;
  while (runs.size() > 1 && runs[1].first < first) runs.erase(runs.begin());
  drop_points();
}

void LogTable::Shard::inherit_points(const std::deque<Point>& older) {
  // What lies at or behind an own point was truncated, replaced or deleted before that one was made.
  const Offset below = points.empty() ? last.next() : points.front().offset;
  const auto kept = std::ranges::lower_bound(older, below, {}, &Point::offset);
  points.insert(points.begin(), older.begin(), kept);
  drop_points();
}

// Those that lead to no kept entry.
void LogTable::Shard::drop_points() {
  while (!points.empty() && points.back().offset > last) points.pop_back();
  while (points.size() > 1 && points[1].offset <= first) points.pop_front();
  if (empty()) points.clear();
}

const LogTable::Shard& LogTable::find(ShardId shard) const {
  static const Shard unknown;
  const auto found = shards_.find(shard);
  return found == shards_.end() ? unknown : found->second;
}

Result<> LogTable::check(const RecordHeader& record) const {
  if (record.shard.value() < 0) return refuse(record, "a shard's id is not negative");
  return check(find(record.shard), record);
}

Result<> LogTable::check(const Shard& shard, const RecordHeader& record) {
  // One below the largest, so that counting on never overflows.
  if (record.offset < no_offset || record.offset.value() == INT64_MAX) return refuse(record, "no such offset");
  switch (record.kind) {
    case RecordKind::append:
      if (record.offset != shard.last.next()) return refuse(record, fmt::format("the last is {}", shard.last.value()));
      if (record.term < shard.last_term() || record.term <= no_term) {
        return refuse(record, fmt::format("the last entry's term is {}", shard.last_term().value()));
      }
      return {};
    case RecordKind::term:
      if (record.term < shard.term || record.term <= no_term) {
        return refuse(record, fmt::format("term {} was promised before", shard.term.value()));
      }
      if (record.offset != no_offset && record.offset.value() < shard.version.value()) {
        return refuse(record, fmt::format("membership {} was known before", shard.version.value()));
      }
      return {};
    case RecordKind::truncate:
      if (record.offset > shard.last) return refuse(record, fmt::format("the last is {}", shard.last.value()));
      if (record.offset.next() < shard.first) return refuse(record, fmt::format("the first is {}", shard.first.value()));
      return {};
    case RecordKind::snapshot_installed:
      if (record.term < no_term || (record.offset == no_offset) != (record.term == no_term)) {
        return refuse(record, "a snapshot has a term exactly when it has entries");
      }
      return {};
    case RecordKind::trimmed:
      if (record.offset > shard.last.next()) return refuse(record, fmt::format("the last is {}", shard.last.value()));
      return {};
    case RecordKind::shard_deleted: return {};
    case RecordKind::summary:
    case RecordKind::batch:
    case RecordKind::footer: break;
  }
  return refuse(record, "not of a shard");
}

bool LogTable::changes(const RecordHeader& record) const {
  const Shard& shard = find(record.shard);
  switch (record.kind) {
    case RecordKind::term: return record.term != shard.term || record.offset.value() > shard.version.value();
    case RecordKind::truncate: return record.offset != shard.last;
    case RecordKind::trimmed: return record.offset > shard.first;
    case RecordKind::shard_deleted: return knows(record.shard);
    default: return true;
  }
}

void LogTable::apply(const RecordHeader& record, LogPlace place) {
  if (std::exchange(newest_generation_, place.generation) != place.generation) new_points_ = 0;
  runs_ -= find(record.shard).runs.size();
  if (record.kind == RecordKind::shard_deleted) {
    shards_.erase(record.shard);
    return;
  }
  const auto [position, is_new] = shards_.try_emplace(record.shard);
  Shard& shard = position->second;
  if (is_new) shard.incarnation = ++incarnations_;
  const std::size_t points = shard.points.size();
  change(shard, record, place);
  runs_ += shard.runs.size();
  new_points_ += shard.points.size() > points ? 1 : 0;
}

void LogTable::change(Shard& shard, const RecordHeader& record, LogPlace place) {
  switch (record.kind) {
    case RecordKind::append: return shard.append(record, place);
    case RecordKind::term:
      shard.term = record.term;
      shard.version = std::max(shard.version, MembershipVersion(record.offset.value()));
      return;
    case RecordKind::trimmed: return shard.trim(std::max(shard.first, record.offset));
    case RecordKind::truncate: shard.truncate(record.offset); break;
    case RecordKind::snapshot_installed: shard.install(record.term, record.offset); break;
    default: SKERRY_ASSERT(false);
  }
  shard.incarnation = ++incarnations_;
}

LogShard LogTable::shard(ShardId shard) const { return find(shard).shown(); }

std::map<ShardId, LogShard> LogTable::shards() const {
  std::map<ShardId, LogShard> all;
  for (const auto& [id, shard] : shards_) all.emplace_hint(all.end(), id, shard.shown());
  return all;
}

std::uint64_t LogTable::incarnation(ShardId shard) const { return find(shard).incarnation; }

std::optional<LogTable::Point> LogTable::point_before(ShardId id, Offset offset) const {
  const Shard& shard = find(id);
  if (offset < shard.first || offset > shard.last) return std::nullopt;
  const auto after = std::ranges::upper_bound(shard.points, offset, {}, &Point::offset);
  if (after == shard.points.begin()) return std::nullopt;
  return *std::prev(after);
}

std::optional<LogTable::Holder> LogTable::oldest_holder() const {
  std::optional<Holder> oldest;
  for (const auto& [id, shard] : shards_) {
    if (shard.points.empty()) continue;
    const std::uint64_t generation = shard.points.front().place.generation;
    if (!oldest || generation < oldest->generation) oldest = {generation, id};
  }
  return oldest;
}

std::optional<ShardId> LogTable::incomplete() const {
  for (const auto& [id, shard] : shards_) {
    if (!shard.empty() && (shard.points.empty() || shard.points.front().offset > shard.first)) return id;
  }
  return std::nullopt;
}

Bytes LogTable::encode_summary(PreviousSegment previous) const {
  Bytes out;
  append_shards(out, previous);
  append_versions(out);
  return out;
}

// At the end, and only where there are any: logs from before memberships have none.
void LogTable::append_versions(Bytes& out) const {
  for (const auto& [id, shard] : shards_) {
    if (shard.version <= MembershipVersion(0)) continue;
    append_id(out, id);
    append_id(out, shard.version);
  }
}

bool LogTable::decode_versions(ByteReader& reader, Shards& shards) {
  while (reader.ok() && !reader.done()) {
    const auto shard = shards.find(read_id<ShardId>(reader));
    const auto version = read_id<MembershipVersion>(reader);
    if (!reader.ok() || shard == shards.end() || version <= shard->second.version) return false;
    shard->second.version = version;
  }
  return reader.ok();
}

void LogTable::append_shards(Bytes& out, PreviousSegment previous) const {
  append_varint(out, previous.generation);
  append_varint(out, previous.end);
  append_varint(out, shards_.size());
  for (const auto& [id, shard] : shards_) {
    append_id(out, id);
    append_id(out, shard.term);
    append_id(out, shard.first);
    append_id(out, shard.last);
    append_id(out, shard.snapshot);
    append_varint(out, shard.runs.size());
    for (const TermStart& run : shard.runs) {
      append_id(out, run.first);
      append_id(out, run.term);
    }
  }
}

std::optional<LogTable::Shard> LogTable::decode_shard(ByteReader& reader) {
  Shard shard;
  shard.term = read_id<Term>(reader);
  shard.first = read_id<Offset>(reader);
  shard.last = read_id<Offset>(reader);
  shard.snapshot = read_id<Offset>(reader);
  for (std::uint64_t runs = reader.varint(); runs > 0 && reader.ok(); --runs) {
    const auto first = read_id<Offset>(reader);
    const TermStart run{read_id<Term>(reader), first};
    if (!shard.runs.empty() && (run.first <= shard.runs.back().first || run.term <= shard.runs.back().term)) reader.fail();
    shard.runs.push_back(run);
  }
  const bool plausible = shard.last.value() < INT64_MAX - 1 && shard.first.value() >= 0 && shard.first <= shard.last.next() &&
                         (shard.runs.empty() || (shard.runs.back().first <= shard.last && shard.last_term() <= shard.term)) &&
                         (shard.empty() || !shard.runs.empty());
  return reader.ok() && plausible ? std::optional(std::move(shard)) : std::nullopt;
}

PreviousSegment LogTable::previous_of(BytesView bytes) {
  ByteReader reader(bytes);
  return read_previous(reader);
}

Result<LogTable::Summary> LogTable::decode_summary(ByteReader& reader) {
  Summary summary{.previous = read_previous(reader), .shards = {}};
  for (std::uint64_t count = reader.varint(); count > 0 && reader.ok(); --count) {
    const auto id = read_id<ShardId>(reader);
    auto shard = decode_shard(reader);
    if (!shard || id.value() < 0) return fail(Errc::corrupt, "the summary of a shard makes no sense");
    if (!summary.shards.emplace(id, std::move(*shard)).second) return fail(Errc::corrupt, "the summary names a shard twice");
  }
  if (!reader.ok()) return fail(Errc::corrupt, "the summary cannot be decoded");
  return summary;
}

void LogTable::replace(Shards shards) {
  shards_ = std::move(shards);
  runs_ = 0;
  for (auto& [id, shard] : shards_) {
    shard.incarnation = ++incarnations_;
    runs_ += shard.runs.size();
  }
}

Result<PreviousSegment> LogTable::load_summary(BytesView bytes) {
  ByteReader reader(bytes);
  TRY(Summary summary, decode_summary(reader));
  if (!decode_versions(reader, summary.shards)) return fail(Errc::corrupt, "the summary cannot be decoded");
  replace(std::move(summary.shards));
  return summary.previous;
}

Bytes LogTable::encode_state(PreviousSegment previous, std::uint64_t generation) const {
  Bytes out;
  append_shards(out, previous);
  for (const auto& [id, shard] : shards_) {
    const auto own = std::ranges::find(shard.points, generation, [](const Point& point) { return point.place.generation; });
    append_varint(out, static_cast<std::uint64_t>(shard.points.end() - own));
    for (auto point = own; point != shard.points.end(); ++point) {
      append_id(out, point->offset);
      append_varint(out, point->place.position);
    }
  }
  append_versions(out);
  return out;
}

// Rising, of entries that the shard has, and where records of the segment can stand.
bool LogTable::decode_points(ByteReader& reader, Shard& shard, LogPlace end) {
  for (std::uint64_t count = reader.varint(); count > 0 && reader.ok(); --count) {
    const auto offset = read_id<Offset>(reader);
    const std::uint64_t position = reader.varint();
    const bool follows =
        shard.points.empty() || (offset > shard.points.back().offset && position > shard.points.back().place.position);
    const bool stands =
        !shard.empty() && offset >= Offset(0) && offset <= shard.last && position > segment_data_start && position < end.position;
    if (!follows || !stands) reader.fail();
    shard.points.push_back({offset, {end.generation, position}});
  }
  return reader.ok();
}

Result<PreviousSegment> LogTable::load_state(BytesView bytes, LogPlace end) {
  ByteReader reader(bytes);
  TRY(Summary summary, decode_summary(reader));
  for (auto& [id, shard] : summary.shards) {
    if (!decode_points(reader, shard, end)) return fail(Errc::corrupt, "the places of entries make no sense");
  }
  if (!decode_versions(reader, summary.shards)) return fail(Errc::corrupt, "the state of the shards cannot be decoded");
  for (auto& [id, shard] : summary.shards) shard.inherit_points(find(id).points);
  replace(std::move(summary.shards));
  return summary.previous;
}

std::uint64_t LogTable::state_bytes_max(std::uint64_t generation) const {
  constexpr std::uint64_t head = 4 * varint_bytes_max, shard = 9 * varint_bytes_max, pair = 2 * varint_bytes_max;
  const std::uint64_t points = generation == newest_generation_ ? new_points_ : 0;
  return head + shards_.size() * shard + (runs_ + points) * pair + shard + 2 * pair;
}

}  // namespace skerry::disk
