// SPDX-License-Identifier: Apache-2.0
// Reading entries back from SegmentedLog.
#include <fmt/format.h>

#include <algorithm>

#include "base/hash.hpp"
#include "disk/segmented_log.hpp"

namespace skerry::disk {
namespace {

constexpr std::size_t fetch_bytes = 64 << 10;

}  // namespace

// A read under way: from a place known to lie before the wanted entry, forward through the records of all shards.
struct SegmentedLog::Walk {
  ShardId shard;
  Offset wanted;
  Offset last;
  std::size_t bytes_max;
  std::uint64_t incarnation;
  LogPlace place{};
  std::vector<LogEntry> entries{};
  std::size_t bytes = 0;

  bool enough(std::size_t more) const { return wanted > last || (!entries.empty() && bytes + more > bytes_max); }
};

Task<Result<std::vector<LogEntry>>> SegmentedLog::read(ShardId shard, Offset from, std::size_t bytes_max) {
  for (;;) {
    const LogShard known = table_.shard(shard);
    if (from > known.last) co_return std::vector<LogEntry>{};
    if (known.first == no_offset || from < known.first) {
      co_return fail(Errc::not_found, fmt::format("shard {}: offset {} is no longer in the log, which starts at {}",
                                                  shard.value(), from.value(), known.first.value()));
    }
    Walk walk{
        .shard = shard, .wanted = from, .last = known.last, .bytes_max = bytes_max, .incarnation = table_.incarnation(shard)};
    const std::uint64_t oldest = segments_.front()->header.generation;
    auto whole = co_await this->walk(walk);
    // What was met while the shard changed underneath says nothing, neither entries nor damage.
    const LogShard after = table_.shard(shard);
    if (table_.incarnation(shard) != walk.incarnation || after.first > from || after.first == no_offset) continue;
    if (!whole) co_return unreadable(whole.error());
    if (*whole) co_return std::move(walk.entries);
    if (segments_.front()->header.generation == oldest) {   // nothing was let go: the footer that told of the entry was wrong
      co_return unreadable(
          {Errc::corrupt, fmt::format("shard {}: the log knows of entry {} and not where it is: `skerry wal verify` tells more",
                                      shard.value(), walk.wanted.value())});
    }
  }
}

std::unexpected<Error> SegmentedLog::unreadable(Error error) {
  if (error == Errc::corrupt && !damage_) damage_ = error;
  return fail(std::move(error));
}

// False when the place was let go meanwhile.
Task<Result<bool>> SegmentedLog::walk(Walk& walk) {
  bool lost = true;
  Offset placed = no_offset;   // for which entry an index point was followed; once each, for a bad footer's may lead elsewhere
  Bytes chunk;
  std::size_t at = 0;   // in chunk; `place` is where that is
  const auto move_to = [&](LogPlace place) {
    const std::uint64_t start = walk.place.position - at;   // of the chunk
    const bool inside =
        place.generation == walk.place.generation && place.position >= start && place.position - start < chunk.size();
    at = inside ? place.position - start : 0;
    if (!inside) chunk.clear();
    walk.place = place;
  };
  while (!walk.enough(0)) {
    const auto point = table_.point_before(walk.shard, walk.wanted);
    if (!point) co_return false;
    if (placed != walk.wanted && (lost || point->offset == walk.wanted)) {
      move_to(point->place);
      placed = walk.wanted;
    }
    lost = false;
    const auto from = segment(walk.place.generation);
    if (!from) co_return false;
    const auto damaged = [&](std::string_view what) { return fail(corrupt_at(pool_.path(*from), walk.place.position, what)); };
    const std::uint32_t seed = from->header.seed();
    if (chunk.size() - at < record_header_bytes) {
      CO_TRY(chunk, co_await fetch(walk.place, fetch_bytes));
      at = 0;
      if (chunk.size() < record_header_bytes) co_return damaged("the log ends before an entry that it should hold");
    }
    const auto record = decode_record_header(BytesView(chunk).substr(at), seed);
    if (!record) co_return damaged("a record header fails its checksum");
    const std::size_t size = record_header_bytes + record->payload_bytes;
    const bool ours = record->kind == RecordKind::append && record->shard == walk.shard && record->offset == walk.wanted;
    if (ours) {
      if (walk.enough(record->payload_bytes)) co_return true;
      if (chunk.size() - at < size) {
        CO_TRY(chunk, co_await fetch(walk.place, size));
        at = 0;
        if (chunk.size() < size) co_return damaged("an entry is cut short");
      }
      const BytesView payload = BytesView(chunk).substr(at + record_header_bytes, record->payload_bytes);
      if (crc32c(payload) != record->payload_crc) co_return damaged("a payload fails its checksum");
      walk.entries.push_back({record->term, record->offset, Bytes(payload)});
      walk.bytes += payload.size();
      walk.wanted = walk.wanted.next();
    }
    walk.place.position += size;
    at += size;
    if (at > chunk.size()) chunk.clear(), at = 0;
  }
  co_return true;
}

// The bytes from a place on, from memory while they wait to be written. Fewer than asked where the one gives way to the other,
// or where the segment ends.
Task<Result<Bytes>> SegmentedLog::fetch(LogPlace place, std::size_t bytes) const {
  if (const Batch* batch = gathered_at(place)) {
    co_return batch->bytes.substr(place.position - batch->position, bytes);
  }
  const auto from = segment(place.generation);
  if (!from || !from->made()) co_return Bytes{};
  std::uint64_t end = from->end;
  for (const Batch& batch : queue_) {
    if (batch.segment == from) end = std::min(end, batch.position);
  }
  if (place.position >= end) co_return Bytes{};
  co_return co_await from->file->read(place.position, std::min<std::uint64_t>(bytes, end - place.position));
}

const SegmentedLog::Batch* SegmentedLog::gathered_at(LogPlace place) const {
  for (const Batch& batch : queue_) {
    if (batch.segment->header.generation == place.generation && place.position >= batch.position &&
        place.position - batch.position < batch.bytes.size()) {
      return &batch;
    }
  }
  return nullptr;
}

std::shared_ptr<Segment> SegmentedLog::segment(std::uint64_t generation) const {
  const std::uint64_t first = segments_.front()->header.generation;
  if (generation < first || generation - first >= segments_.size()) return nullptr;
  return segments_[generation - first];
}

}   // namespace skerry::disk
