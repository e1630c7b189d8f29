// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

// The bytes of the log, and nothing else: no file, no clock. All integers are little endian.
//
// A folder holds segments `log-<generation, 16 hex digits>.seg`, whose generations follow each other without a gap, and
// `spare-*.seg`, whose content means nothing. Every segment is zero-filled to its full size before it is used.
//
// Segment
//       0  header, 64 bytes, then zeros up to 4096. Synced before the file gets its name, never written again
//    4096  batches, one directly after the other; the first begins with a summary. Then zeros, or what the file held before
//  at end  once the segment is closed: the footer, whose record header is the segment's last 48 bytes and whose payload
//          stands before them. It is written only when all batches of the segment are synced, and the first one of the next
//          segment too: whoever finds it knows both. There is none when no room is left, which only costs time at opening
//
// Segment header
//       0  8  magic "SKERRYLG"
//       8  4  CRC32C of bytes 12 to 63
//      12  4  format version, 2. Every later version keeps these first 16 bytes
//      16  8  generation
//      24  8  marker: random, so that no content can be made to look like a batch of this segment
//      32  8  size of the segment in bytes
//      40 24  zeros
//
// Record header, 48 bytes, followed by the payload
//       0  4  CRC32C of bytes 4 to 47, seeded with the CRC32C of the segment's generation and marker: what a recycled
//             segment held before, or another segment holds, never passes
//       4  4  bytes of payload
//       8  4  CRC32C of the payload, unseeded: computed once for disk and wire
//      12  1  kind (RecordKind)
//      13  3  zeros
//      16  8  shard            of a batch and a footer: the segment's marker, by which they are found behind damage
//      24  8  term             of both: up to which position of this segment everything was synced when it was written
//      32  8  offset           of a batch: bytes of the records that follow in it; of a footer: the segment's first sequence
//      40  8  sequence         of a batch, a summary and a footer: of the next record; they take none of their own
//
// A batch is a record of kind `batch` and the records that follow; it is written by one write and is kept or cut as a whole.
// The offset of a term record is the version of the membership that came with the term, or -1; of a truncation the last entry
// kept; of a snapshot its own; of a trim the first kept.
namespace skerry::disk {

constexpr std::uint64_t segment_data_start = 4096;
constexpr std::uint64_t segment_bytes_min = 8 << 10;
constexpr std::uint64_t segment_bytes_max = 1 << 30;
constexpr std::size_t segment_header_bytes = 64;
constexpr std::size_t record_header_bytes = 48;
constexpr std::uint32_t log_format_version = 2;   // 1 had no footers

enum class RecordKind : std::uint8_t {
  append = 1,
  term = 2,
  truncate = 3,
  snapshot_installed = 4,
  trimmed = 5,
  shard_deleted = 6,
  summary = 7,   // what is known of all shards where a segment begins, so that older segments can go
  batch = 8,
  footer = 9,   // what a closed segment adds to what is known, so that opening need not read it
};
std::string_view name_of(RecordKind kind);

struct SegmentHeader {
  std::uint64_t generation = 0;
  std::uint64_t marker = 0;
  std::uint64_t bytes = 0;

  std::uint32_t seed() const;   // of its records' header checksums
};

struct RecordHeader {
  RecordKind kind = RecordKind::append;
  ShardId shard{};
  Term term = no_term;
  Offset offset = no_offset;
  std::uint64_t sequence = 0;
  std::uint32_t payload_bytes = 0;
  std::uint32_t payload_crc = 0;
};

Bytes encode_segment_header(const SegmentHeader& header);   // segment_data_start bytes
Result<SegmentHeader> decode_segment_header(BytesView bytes);   // errors: corrupt, unsupported

// `out` has room for record_header_bytes.
void encode_record_header(const RecordHeader& header, std::uint32_t seed, char* out);
// Nothing when the checksum or the kind is wrong. `bytes` holds record_header_bytes at least.
std::optional<RecordHeader> decode_record_header(BytesView bytes, std::uint32_t seed);

// The header of a batch in the fields of a record.
RecordHeader batch_header(const SegmentHeader& segment, std::uint64_t synced, std::uint64_t bytes, std::uint64_t sequence);

// The header of a footer, and the check of the state that stands before it.
struct SegmentFooter {
  std::uint64_t end = 0;   // of the batches
  std::uint64_t first_sequence = 0;   // of the segment's first record
  std::uint64_t next_sequence = 0;   // of the first record after it
  std::uint32_t state_bytes = 0;
  std::uint32_t state_crc = 0;

  static std::uint64_t place(const SegmentHeader& segment) { return segment.bytes - record_header_bytes; }
  std::uint64_t state_place(const SegmentHeader& segment) const { return place(segment) - state_bytes; }
  bool holds(BytesView state) const;
};

// What stands from state_place() to the segment's end; nothing when that does not fit behind `end`.
std::optional<Bytes> encode_footer(const SegmentHeader& segment, SegmentFooter footer, BytesView state);
// Of the record header at place(). Nothing when it is not a footer of this segment, or says what can't be.
std::optional<SegmentFooter> decode_footer(BytesView bytes, const SegmentHeader& segment);

std::string segment_name(std::uint64_t generation);
std::optional<std::uint64_t> generation_of(std::string_view name);   // nothing when it isn't the name of a segment
std::string spare_name(std::uint64_t number);
bool is_spare_name(std::string_view name);
std::uint64_t spare_number(std::string_view name);   // 0 when it has none

// Where a segment's content stops to make sense, and what that means.
struct SegmentScan {
  std::uint64_t end = segment_data_start;   // behind the last whole batch
  std::uint64_t first_sequence = 0;   // of the first record; both are 0 when there is no whole batch
  std::uint64_t next_sequence = 0;   // of the record after the last
  bool damaged = false;   // what follows `end` was once synced: a later batch or the footer says so
  std::uint64_t bad = 0;   // of the first bad byte range, when something other than zeros or old content follows
  std::string reason;   // what is wrong at `bad`
  std::vector<std::uint64_t> stale_markers;   // positions of this segment's marker behind `end`, but for a footer's: to be
      // wiped when cut
};

// Called for every record of every whole batch, in order. Returning an error stops the scan.
using RecordVisitor = std::function<Result<>(const RecordHeader& header, std::uint64_t position, BytesView payload)>;

// Reads the batches of a segment. `content` is the whole file, as long as it happens to be; nothing in it is trusted.
// The error is the visitor's.
Result<SegmentScan> scan_segment(BytesView content, const SegmentHeader& header, const RecordVisitor& visit);

}   // namespace skerry::disk
