// SPDX-License-Identifier: Apache-2.0
#include "disk/log_recovery.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "runtime/core.hpp"

namespace skerry::disk {
namespace {

constexpr std::size_t read_step = 256 << 10;

class Recovery {
 public:
  Recovery(Core& core, Disk& disk, std::string folder, Repair repair)
      : core_(core), disk_(disk), folder_(std::move(folder)), repair_(repair) {}

  Task<Result<RecoveredLog>> run() {
    CO_TRYV(list());
    for (const std::uint64_t generation : generations_) CO_TRYV(co_await read_segment(generation));
    CO_TRYV(check_complete());
    note_tail();
    if (repair_ == Repair::yes) CO_TRYV(co_await cut_tail());
    co_return std::move(log_);
  }

 private:
  std::string path(std::uint64_t generation) const { return folder_ + "/" + segment_name(generation); }

  Result<> list() {
    TRY(const auto names, disk_.list(folder_));
    for (const std::string& name : names) {
      if (const auto generation = generation_of(name)) generations_.push_back(*generation);
      if (is_spare_name(name)) log_.spares.push_back(name);
    }
    std::ranges::sort(generations_);
    leave_out_leftovers();
    return {};
  }

  // A crash can bring back the names of segments that had been let go, but the log itself is without gaps.
  void leave_out_leftovers() {
    std::size_t start = generations_.size();
    while (start > 1 && generations_[start - 1] == generations_[start - 2] + 1) --start;
    if (start > 0) --start;
    log_.unneeded.assign(generations_.begin(), generations_.begin() + static_cast<std::ptrdiff_t>(start));
    generations_.erase(generations_.begin(), generations_.begin() + static_cast<std::ptrdiff_t>(start));
  }

  Task<Result<>> read_segment(std::uint64_t generation) {
    const OpenMode mode = repair_ == Repair::yes ? OpenMode::read_write : OpenMode::read;
    CO_TRY(std::shared_ptr<File> file, disk_.open(path(generation), mode));
    auto segment = std::make_shared<Segment>();
    CO_TRY(segment->header, co_await read_segment_header(*file, path(generation), generation));
    segment->file = std::move(file);
    if (repair_ == Repair::yes) {
      CO_TRY(const bool known, co_await take_footer(segment));
      if (known) co_return Result<>{};
    }
    co_return co_await take_batches(std::move(segment));
  }

  // Takes what the footer says in place of the segment's records. False when there is no footer, or none that follows what
  // was read so far: then the records must tell.
  Task<Result<bool>> take_footer(std::shared_ptr<Segment> segment) {
    const SegmentHeader& header = segment->header;
    CO_TRY(const Bytes place, co_await segment->file->read(SegmentFooter::place(header), record_header_bytes));
    const auto footer = decode_footer(place, header);
    if (!footer || !never_begun_.empty()) co_return false;
    CO_TRY(const Bytes state, co_await segment->file->read(footer->state_place(header), footer->state_bytes));
    const bool follows = log_.segments.empty() || footer->first_sequence == log_.next_sequence;
    if (!footer->holds(state) || !follows) co_return false;
    if (!log_.segments.empty()) {
      if (LogTable::previous_of(state) != ended()) co_return false;
      close_last();
    }
    const auto previous = log_.table.load_state(state, {header.generation, footer->end});
    if (!previous) co_return false;
    log_.next_sequence = footer->next_sequence;
    segment->previous = *previous;
    segment->end = footer->end;
    segment->first_sequence = footer->first_sequence;
    segment->footed = true;
    log_.segments.push_back(std::move(segment));
    co_return true;
  }

  PreviousSegment ended() const { return {log_.segments.back()->header.generation, log_.segments.back()->end}; }

  // The segment read last is not the last one: it was durable to its end before the next was begun.
  void close_last() {
    Segment& last = *log_.segments.back();
    last.synced = last.end;
    if (!last.footed) last.footer = footer_of(last, log_.table, log_.next_sequence);
  }

  Task<Result<>> take_batches(std::shared_ptr<Segment> segment) {
    const std::uint64_t generation = segment->header.generation;
    CO_TRYV(co_await read_whole(core_, *segment->file, content_));
    CO_TRY(SegmentScan scan,
           scan_segment(content_, segment->header, [&](const RecordHeader& record, std::uint64_t position, BytesView payload) {
             return take(*segment, record, position, payload);
           }));
    if (scan.damaged) co_return fail(corrupt_at(path(generation), scan.bad, scan.reason + ", though it was synced"));
    segment->end = scan.end;
    segment->first_sequence = scan.first_sequence;
    if (segment->begun()) {
      log_.next_sequence = scan.next_sequence;
      CO_TRYV(compare_footer(*segment));
      log_.segments.push_back(std::move(segment));
      tail_ = std::move(scan);
      tail_bytes_ = content_.size();
      unsure_from_ = std::clamp(claimed_, segment_data_start, tail_.end);
      unsure_ = content_.substr(unsure_from_, tail_.end - unsure_from_);
    } else {
      never_begun_.push_back({std::move(segment), std::move(scan.stale_markers)});
    }
    co_return Result<>{};
  }

  // A footer that is whole was written by the log, so one that differs from the records means that either is bad.
  Result<> compare_footer(Segment& segment) const {
    const std::uint64_t place = SegmentFooter::place(segment.header);
    if (content_.size() < segment.header.bytes) return {};
    const auto footer = decode_footer(BytesView(content_).substr(place, record_header_bytes), segment.header);
    if (!footer) return {};
    const BytesView state = BytesView(content_).substr(footer->state_place(segment.header), footer->state_bytes);
    if (!footer->holds(state)) return {};
    const auto expected = footer_of(segment, log_.table, log_.next_sequence);
    if (!expected || *expected != BytesView(content_).substr(footer->state_place(segment.header), expected->size())) {
      return fail(corrupt_at(path(segment.header.generation), place, "the footer differs from what the segment holds"));
    }
    segment.footed = true;
    return {};
  }

  Result<> take(Segment& segment, const RecordHeader& record, std::uint64_t position, BytesView payload) {
    const auto corrupt = [&](std::string_view what) { return fail(corrupt_at(path(segment.header.generation), position, what)); };
    if (record.kind == RecordKind::batch) {
      claimed_ = static_cast<std::uint64_t>(record.term.value());
      return {};
    }
    const bool first = position == segment_data_start + record_header_bytes;
    if (first != (record.kind == RecordKind::summary)) return corrupt("a segment begins with one summary");
    if (first) return begin(segment, record, position, payload);
    if (auto ok = log_.table.check(record); !ok) return corrupt(ok.error().message());
    log_.table.apply(record, {segment.header.generation, position});
    return {};
  }

  // The summary at a segment's head: where the log starts for us, otherwise a check of all that was read.
  Result<> begin(Segment& segment, const RecordHeader& record, std::uint64_t position, BytesView payload) {
    const std::string here = path(segment.header.generation);
    if (!never_begun_.empty()) {
      return fail(corrupt_at(path(never_begun_.back().segment->header.generation), segment_data_start,
                             "the segment is empty, though the one after it was begun"));
    }
    if (log_.segments.empty()) {
      auto previous = log_.table.load_summary(payload);
      if (!previous) return fail(corrupt_at(here, position, previous.error().message()));
      segment.previous = *previous;
      return {};
    }
    const Segment& before = *log_.segments.back();
    segment.previous = ended();
    const auto says = LogTable().load_summary(payload);
    if (!says) return fail(corrupt_at(here, position, says.error().message()));
    if (*says != segment.previous && !before.footed) {
      return fail(corrupt_at(path(before.header.generation), tail_.bad,
                             fmt::format("{}, though the segment was synced up to {}", tail_.reason, says->end)));
    }
    if (record.sequence != log_.next_sequence || payload != log_.table.encode_summary(segment.previous)) {
      return fail(corrupt_at(here, position, "the summary differs from what the segments before it hold"));
    }
    close_last();
    return {};
  }

  Result<> check_complete() const {
    const std::uint64_t next = log_.segments.empty() ? 1 : log_.segments.back()->header.generation + 1;
    if (!never_begun_.empty() && never_begun_.front().segment->header.generation != next) {
      return fail(Errc::corrupt, fmt::format("{}: the segments before {} are missing: restore them from a copy", folder_,
                                             segment_name(never_begun_.front().segment->header.generation)));
    }
    // A footer is written when the next segment's head is synced.
    if (!log_.segments.empty() && log_.segments.back()->footed) {
      if (never_begun_.empty()) {
        return fail(Errc::corrupt,
                    fmt::format("{}: {} is missing, though it was begun: restore it from a copy", folder_, segment_name(next)));
      }
      return fail(corrupt_at(path(next), segment_data_start, "the segment is empty, though the one before it tells of it"));
    }
    if (const auto shard = log_.table.incomplete()) {
      return fail(
          Errc::corrupt,
          fmt::format("{}: entries of shard {} from offset {} on are missing: a segment before {} is gone: restore it "
                      "from a copy",
                      folder_, shard->value(), log_.table.shard(*shard).first.value(), segment_name(generations_.front())));
    }
    return {};
  }

  // Batches behind the cut must not come back when new ones have filled the place before them, so their markers go.
  Task<Result<>> wipe(File& file, std::vector<std::uint64_t> markers) {
    if (markers.empty()) co_return Result<>{};
    const Bytes zeros(8, '\0');
    const BytesView piece = zeros;
    for (const std::uint64_t position : markers) CO_TRYV(file.write_at(position, {&piece, 1}));
    co_return co_await file.sync();
  }

  void note_tail() {
    // The newest goes first, so that the names that a crash leaves have no gap.
    for (const NeverBegun& each : std::views::reverse(never_begun_)) {
      log_.unneeded.push_back(each.segment->header.generation);
    }
    if (log_.segments.empty() || tail_.stale_markers.empty()) return;
    log_.torn_at = tail_.end;
    log_.torn_because = tail_.reason;
  }

  Task<Result<>> cut_tail() {
    for (const NeverBegun& each : never_begun_) CO_TRYV(co_await wipe(*each.segment->file, each.stale_markers));
    if (log_.segments.empty()) co_return Result<>{};
    Segment& last = *log_.segments.back();
    CO_TRYV(co_await wipe(*last.file, tail_.stale_markers));
    if (tail_bytes_ < last.header.bytes) {
      CO_TRYV(co_await last.file->write_zeros(tail_bytes_, last.header.bytes - tail_bytes_));
    }
    // What a killed process had written may be in memory and not on the disk. Worse, if its sync had failed the system
    // believes that it is on the disk: only what is written again is really synced.
    const BytesView unsure = unsure_;
    CO_TRYV(last.file->write_at(unsure_from_, {&unsure, 1}));
    CO_TRYV(co_await last.file->sync());
    last.synced = last.end;
    co_return Result<>{};
  }

  struct NeverBegun {
    std::shared_ptr<Segment> segment;
    std::vector<std::uint64_t> stale_markers;
  };

  Core& core_;
  Disk& disk_;
  std::string folder_;
  Repair repair_;
  std::vector<std::uint64_t> generations_;
  Bytes content_;   // of one segment after the other
  RecoveredLog log_;
  SegmentScan tail_;   // of the last begun segment
  std::uint64_t tail_bytes_ = 0;
  std::uint64_t claimed_ = segment_data_start;   // synced, says the batch read last
  std::uint64_t unsure_from_ = segment_data_start;
  Bytes unsure_;                                 // of the last segment, what no batch says to be synced
  std::vector<NeverBegun> never_begun_;
};

}  // namespace

Error corrupt_at(const std::string& path, std::uint64_t position, std::string_view what) {
  return {Errc::corrupt, fmt::format("{}: damaged at byte {}: {}", path, position, what)};
}

Task<Result<>> read_whole(Core& core, const File& file, Bytes& into) {
  CO_TRY(const std::uint64_t size, file.size());
  into.clear();
  into.reserve(size);
  while (into.size() < size) {
    CO_TRY(const Bytes part, co_await file.read(into.size(), std::min<std::uint64_t>(read_step, size - into.size())));
    if (part.empty()) break;
    into += part;
    co_await core.yield();
  }
  co_return Result<>{};
}

Task<Result<SegmentHeader>> read_segment_header(const File& file, std::string path, std::uint64_t generation) {
  CO_TRY(const Bytes bytes, co_await file.read(0, segment_header_bytes));
  auto header = decode_segment_header(bytes);
  if (!header) co_return fail(header.error().code, path + ": " + header.error().message());
  if (header->generation != generation) {
    co_return fail(Errc::corrupt, fmt::format("{}: the header is that of {}", path, segment_name(header->generation)));
  }
  if (header->bytes < segment_bytes_min || header->bytes > segment_bytes_max) {
    co_return fail(Errc::corrupt, fmt::format("{}: the header names an impossible size of {} bytes", path, header->bytes));
  }
  co_return *header;
}

Task<Result<RecoveredLog>> recover_log(Core& core, Disk& disk, std::string folder, Repair repair) {
  Recovery recovery(core, disk, std::move(folder), repair);
  co_return co_await recovery.run();
}

}  // namespace skerry::disk
