// SPDX-License-Identifier: Apache-2.0
#include "disk/log_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/assert.hpp"
#include "base/hash.hpp"

namespace skerry::disk {
namespace {

constexpr BytesView magic = "SKERRYLG";
constexpr std::string_view segment_prefix = "log-", segment_suffix = ".seg", spare_prefix = "spare-";
constexpr std::size_t marker_in_header = 16;   // where the record header of a batch or footer carries the marker

template <std::unsigned_integral T>
void put(char* out, T value) {
  value = to_little_endian(value);
  std::memcpy(out, &value, sizeof value);
}

bool known(std::uint8_t kind) {
  return kind >= static_cast<std::uint8_t>(RecordKind::append) && kind <= static_cast<std::uint8_t>(RecordKind::footer);
}

// What stands around records and takes no part in a batch.
bool is_frame(RecordKind kind) { return kind == RecordKind::batch || kind == RecordKind::footer; }

std::string name_with(std::string_view prefix, std::uint64_t number) {
  return fmt::format("{}{:016x}{}", prefix, number, segment_suffix);
}

// One name for one number: neither short forms nor capitals.
std::optional<std::uint64_t> number_in(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  std::uint64_t number = 0;
  const std::string_view digits = name.substr(prefix.size());
  std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
  return name_with(prefix, number) == name ? std::optional(number) : std::nullopt;
}

struct Bad {
  std::uint64_t position;
  std::string reason;
};

// One batch at a position, checked whole before any of its records is shown.
class BatchScan {
 public:
  BatchScan(BytesView content, const SegmentHeader& header) : content_(content), header_(header), seed_(header.seed()) {}

  // Where the batch ends, or what is wrong with it.
  std::expected<std::uint64_t, Bad> check(std::uint64_t position, std::optional<std::uint64_t> sequence) {
    const auto batch = record_at(position);
    if (!batch || batch->kind != RecordKind::batch) return bad(position, "no valid batch header");
    if (batch->shard.value() != static_cast<std::int64_t>(header_.marker)) return bad(position, "a batch of another segment");
    if (batch->payload_bytes != 0) return bad(position, "a batch header that claims a payload");
    if (sequence && batch->sequence != *sequence) return bad(position, "a batch out of sequence");
    const auto bytes = static_cast<std::uint64_t>(batch->offset.value());
    std::uint64_t at = position + record_header_bytes;
    if (bytes > content_.size() - at) return bad(position, "the batch runs past the end of the file");
    const std::uint64_t end = at + bytes;
    first_ = next_ = batch->sequence;
    while (at < end) {
      const auto record = record_at(at);
      if (!record || is_frame(record->kind)) return bad(at, "a record header fails its checksum");
      if (record->payload_bytes > end - at - record_header_bytes) return bad(at, "a record runs past its batch");
      if (record->sequence != next_) return bad(at, "a record out of sequence");
      if (crc32c(payload_at(at, *record)) != record->payload_crc) return bad(at, "a payload fails its checksum");
      if (record->kind != RecordKind::summary) ++next_;
      at += record_header_bytes + record->payload_bytes;
    }
    return end == at ? std::expected<std::uint64_t, Bad>(end) : bad(position, "a record runs past its batch");
  }

  Result<> show(std::uint64_t position, std::uint64_t end, const RecordVisitor& visit) const {
    for (std::uint64_t at = position; at < end;) {
      const auto record = record_at(at);
      SKERRY_ASSERT(record.has_value());   // checked before
      TRYV(visit(*record, at, payload_at(at, *record)));
      at += record_header_bytes + record->payload_bytes;
    }
    return {};
  }

  std::uint64_t first() const { return first_; }   // the sequence of the batch checked last
  std::uint64_t next() const { return next_; }   // the sequence that follows the batch checked last

  std::optional<RecordHeader> record_at(std::uint64_t position) const {
    if (position > content_.size() || content_.size() - position < record_header_bytes) return std::nullopt;
    return decode_record_header(content_.substr(position, record_header_bytes), seed_);
  }

 private:
  BytesView payload_at(std::uint64_t position, const RecordHeader& record) const {
    return content_.substr(position + record_header_bytes, record.payload_bytes);
  }
  static std::unexpected<Bad> bad(std::uint64_t position, std::string reason) {
    return std::unexpected(Bad{position, std::move(reason)});
  }

  BytesView content_;
  const SegmentHeader& header_;
  std::uint32_t seed_;
  std::uint64_t first_ = 0, next_ = 0;
};

// Looks behind the last whole batch: for markers, and for a batch or footer that says what is bad was synced.
void look_behind(BytesView content, const SegmentHeader& header, const BatchScan& batches, SegmentScan& scan) {
  char marker[sizeof header.marker];
  put(marker, header.marker);
  const BytesView wanted(marker, sizeof marker);
  for (std::size_t at = content.find(wanted, scan.end); at != BytesView::npos; at = content.find(wanted, at + 1)) {
    const auto later = at < scan.end + marker_in_header ? std::nullopt : batches.record_at(at - marker_in_header);
    const bool frame = later && is_frame(later->kind);
    if (frame && static_cast<std::uint64_t>(later->term.value()) > scan.end) scan.damaged = true;
    if (frame && later->kind == RecordKind::footer && at - marker_in_header == SegmentFooter::place(header)) continue;
    scan.stale_markers.push_back(at);
  }
  const std::uint64_t footer_marker = SegmentFooter::place(header) + marker_in_header;
  if (scan.stale_markers.size() == 1 && scan.stale_markers.front() == footer_marker) scan.reason = "its footer is not whole";
}

}  // namespace

std::string_view name_of(RecordKind kind) {
  switch (kind) {
    case RecordKind::append: return "append";
    case RecordKind::term: return "term";
    case RecordKind::truncate: return "truncate";
    case RecordKind::snapshot_installed: return "snapshot-installed";
    case RecordKind::trimmed: return "trimmed";
    case RecordKind::shard_deleted: return "shard-deleted";
    case RecordKind::summary: return "summary";
    case RecordKind::batch: return "batch";
    case RecordKind::footer: return "footer";
  }
  return "unknown";
}

std::uint32_t SegmentHeader::seed() const {
  char raw[16];
  put(raw, generation);
  put(raw + 8, marker);
  return crc32c({raw, sizeof raw});
}

Bytes encode_segment_header(const SegmentHeader& header) {
  Bytes out(magic);
  append_little_endian<std::uint32_t>(out, 0);
  append_little_endian(out, log_format_version);
  append_little_endian(out, header.generation);
  append_little_endian(out, header.marker);
  append_little_endian(out, header.bytes);
  out.resize(segment_header_bytes, '\0');
  put(out.data() + 8, crc32c(BytesView(out).substr(12)));
  out.resize(segment_data_start, '\0');
  return out;
}

Result<SegmentHeader> decode_segment_header(BytesView bytes) {
  if (bytes.size() < segment_header_bytes) return fail(Errc::corrupt, "the segment header is cut short");
  bytes = bytes.substr(0, segment_header_bytes);
  if (!bytes.starts_with(magic)) return fail(Errc::corrupt, "this is no log segment (wrong magic)");
  ByteReader reader(bytes.substr(magic.size()));
  const auto crc = reader.little_endian<std::uint32_t>();
  const auto version = reader.little_endian<std::uint32_t>();
  if (crc != crc32c(bytes.substr(12))) return fail(Errc::corrupt, "the segment header fails its checksum");
  if (version < log_format_version) {
    return fail(Errc::unsupported, fmt::format("log format version {} is older than version {}, the only one that this program "
                                               "reads: use the program that wrote it",
                                               version, log_format_version));
  }
  if (version > log_format_version) {
    return fail(Errc::unsupported, fmt::format("log format version {} (this program reads version {}): use the program that "
                                               "wrote it, or a newer one",
                                               version, log_format_version));
  }
  SegmentHeader header;
  header.generation = reader.little_endian<std::uint64_t>();
  header.marker = reader.little_endian<std::uint64_t>();
  header.bytes = reader.little_endian<std::uint64_t>();
  return header;
}

void encode_record_header(const RecordHeader& header, std::uint32_t seed, char* out) {
  put(out + 4, header.payload_bytes);
  put(out + 8, header.payload_crc);
  put(out + 12, std::uint32_t{static_cast<std::uint8_t>(header.kind)});
  put(out + 16, static_cast<std::uint64_t>(header.shard.value()));
  put(out + 24, static_cast<std::uint64_t>(header.term.value()));
  put(out + 32, static_cast<std::uint64_t>(header.offset.value()));
  put(out + 40, header.sequence);
  put(out, crc32c({out + 4, record_header_bytes - 4}, seed));
}

std::optional<RecordHeader> decode_record_header(BytesView bytes, std::uint32_t seed) {
  SKERRY_ASSERT(bytes.size() >= record_header_bytes);
  ByteReader reader(bytes);
  if (reader.little_endian<std::uint32_t>() != crc32c(bytes.substr(4, record_header_bytes - 4), seed)) return std::nullopt;
  RecordHeader header;
  header.payload_bytes = reader.little_endian<std::uint32_t>();
  header.payload_crc = reader.little_endian<std::uint32_t>();
  const auto kind = reader.little_endian<std::uint32_t>();
  if (kind > 0xFF || !known(static_cast<std::uint8_t>(kind))) return std::nullopt;
  header.kind = static_cast<RecordKind>(kind);
  header.shard = ShardId(static_cast<std::int64_t>(reader.little_endian<std::uint64_t>()));
  header.term = Term(static_cast<std::int64_t>(reader.little_endian<std::uint64_t>()));
  header.offset = Offset(static_cast<std::int64_t>(reader.little_endian<std::uint64_t>()));
  header.sequence = reader.little_endian<std::uint64_t>();
  return header;
}

RecordHeader batch_header(const SegmentHeader& segment, std::uint64_t synced, std::uint64_t bytes, std::uint64_t sequence) {
  return {.kind = RecordKind::batch,
          .shard = ShardId(static_cast<std::int64_t>(segment.marker)),
          .term = Term(static_cast<std::int64_t>(synced)),
          .offset = Offset(static_cast<std::int64_t>(bytes)),
          .sequence = sequence};
}

bool SegmentFooter::holds(BytesView state) const { return state.size() == state_bytes && crc32c(state) == state_crc; }

std::optional<Bytes> encode_footer(const SegmentHeader& segment, SegmentFooter footer, BytesView state) {
  if (footer.end > SegmentFooter::place(segment) || state.size() > SegmentFooter::place(segment) - footer.end)
    return std::nullopt;
  const RecordHeader header{.kind = RecordKind::footer,
                            .shard = ShardId(static_cast<std::int64_t>(segment.marker)),
                            .term = Term(static_cast<std::int64_t>(footer.end)),
                            .offset = Offset(static_cast<std::int64_t>(footer.first_sequence)),
                            .sequence = footer.next_sequence,
                            .payload_bytes = static_cast<std::uint32_t>(state.size()),
                            .payload_crc = crc32c(state)};
  Bytes out(state);
  out.resize(state.size() + record_header_bytes);
  encode_record_header(header, segment.seed(), out.data() + state.size());
  return out;
}

std::optional<SegmentFooter> decode_footer(BytesView bytes, const SegmentHeader& segment) {
  if (bytes.size() < record_header_bytes) return std::nullopt;
  const auto header = decode_record_header(bytes, segment.seed());
  if (!header || header->kind != RecordKind::footer) return std::nullopt;
  if (header->shard.value() != static_cast<std::int64_t>(segment.marker)) return std::nullopt;
  const SegmentFooter footer{.end = static_cast<std::uint64_t>(header->term.value()),
                             .first_sequence = static_cast<std::uint64_t>(header->offset.value()),
                             .next_sequence = header->sequence,
                             .state_bytes = header->payload_bytes,
                             .state_crc = header->payload_crc};
  const std::uint64_t place = SegmentFooter::place(segment);
  const bool fits = footer.end > segment_data_start && footer.end <= place && footer.state_bytes <= place - footer.end;
  const bool counts = footer.first_sequence > 0 && footer.first_sequence <= footer.next_sequence;
  return fits && counts ? std::optional(footer) : std::nullopt;
}

std::string segment_name(std::uint64_t generation) { return name_with(segment_prefix, generation); }
std::optional<std::uint64_t> generation_of(std::string_view name) { return number_in(name, segment_prefix); }
std::string spare_name(std::uint64_t number) { return name_with(spare_prefix, number); }
std::uint64_t spare_number(std::string_view name) { return number_in(name, spare_prefix).value_or(0); }
bool is_spare_name(std::string_view name) { return name.starts_with(spare_prefix) && name.ends_with(segment_suffix); }

Result<SegmentScan> scan_segment(BytesView content, const SegmentHeader& header, const RecordVisitor& visit) {
  content = content.substr(0, std::min<std::uint64_t>(content.size(), header.bytes));
  BatchScan batches(content, header);
  SegmentScan scan;
  std::optional<std::uint64_t> sequence;   // of the next batch; the first may begin anywhere
  for (;;) {
    const auto end = batches.check(scan.end, sequence);
    if (!end) {
      scan.bad = end.error().position;
      scan.reason = end.error().reason;
      break;
    }
    TRYV(batches.show(scan.end, *end, visit));
    if (!sequence) scan.first_sequence = batches.first();
    scan.end = *end;
    sequence = scan.next_sequence = batches.next();
  }
  if (scan.end <= content.size()) look_behind(content, header, batches, scan);
  return scan;
}

}  // namespace skerry::disk
