// SPDX-License-Identifier: Apache-2.0
#include "disk/log_segments.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/core.hpp"

namespace skerry::disk {
namespace {

// Zeros between two syncs: enough to be quick, little enough that a sync of the log meanwhile does not wait behind them.
constexpr std::uint64_t fill_step = 4 << 20;

}  // namespace

std::optional<Bytes> footer_of(const Segment& segment, const LogTable& table, std::uint64_t next_sequence) {
  return encode_footer(segment.header,
                       {.end = segment.end, .first_sequence = segment.first_sequence, .next_sequence = next_sequence},
                       table.encode_state(segment.previous, segment.header.generation));
}

SegmentPool::SegmentPool(Core& core, Disk& disk, std::string folder, const LogOptions& options, std::vector<std::string> spares)
    : core_(core), disk_(disk), folder_(std::move(folder)), options_(options), spares_(spares.begin(), spares.end()) {
  for (const std::string& name : spares_) next_spare_ = std::max(next_spare_, spare_number(name) + 1);
}

std::shared_ptr<Segment> SegmentPool::plan(std::uint64_t generation) {
  auto segment = std::make_shared<Segment>();
  // Odd, so that its first byte is not zero: searching zeros for it is quick.
  segment->header = {.generation = generation, .marker = core_.random().next() | 1, .bytes = options_.segment_bytes};
  return segment;
}

Result<std::optional<SegmentPool::Blank>> SegmentPool::take_spare() {
  while (!spares_.empty()) {
    const std::string spare = path(spares_.front());
    auto file = disk_.open(spare, OpenMode::read_write);
    const auto size = file ? (*file)->size() : Result<std::uint64_t>(fail(file.error()));
    if (size && *size == options_.segment_bytes) {
      spares_.pop_front();
      return Blank{spare, std::move(*file)};
    }
    if (!size && size.error() != Errc::not_found) return fail(size.error());
    // Left half made by a crash, or of another size: the option was changed.
    if (size) TRYV(disk_.remove(spare));
    spares_.pop_front();
  }
  return std::nullopt;
}

Task<Result<SegmentPool::Blank>> SegmentPool::create() {
  const std::string name = path(spare_name(next_spare_++));
  CO_TRY(auto file, disk_.open(name, OpenMode::create));
  if (auto filled = co_await fill(*file); !filled) {
    file.reset();
    [[maybe_unused]] const auto removed = disk_.remove(name);   // what it takes up may be what is missing
    co_return fail(filled.error());
  }
  co_return Blank{name, std::move(file)};
}

Task<Result<>> SegmentPool::fill(File& file) {
  CO_TRYV(co_await file.allocate(options_.segment_bytes));
  for (std::uint64_t at = 0; at < options_.segment_bytes; at += fill_step) {
    CO_TRYV(co_await file.write_zeros(at, std::min(fill_step, options_.segment_bytes - at)));
    CO_TRYV(co_await file.sync());
  }
  co_return Result<>{};
}

Task<Result<>> SegmentPool::make(std::shared_ptr<Segment> segment) {
  CO_TRY(auto blank, take_spare());
  if (!blank) {
    CO_TRY(blank, co_await create());
  }
  const Bytes header = encode_segment_header(segment->header);
  const BytesView piece = header;
  CO_TRYV(blank->file->write_at(0, {&piece, 1}));
  CO_TRYV(co_await blank->file->sync());
  CO_TRYV(disk_.rename(blank->path, path(*segment)));
  CO_TRYV(co_await disk_.sync_folder(folder_));
  blank->file.reset();
  CO_TRY(segment->file, disk_.open(path(*segment), OpenMode::read_write));   // anew: its errors name the file as it is called now
  co_return Result<>{};
}

Task<Result<>> SegmentPool::recycle(std::vector<std::uint64_t> generations) {
  std::vector<std::string> renamed;
  for (const std::uint64_t generation : generations) {
    const std::string old_path = path(segment_name(generation));
    if (spares_.size() + renamed.size() >= options_.spare_segments_max) {
      CO_TRYV(disk_.remove(old_path));
      continue;
    }
    renamed.push_back(spare_name(next_spare_++));
    CO_TRYV(disk_.rename(old_path, path(renamed.back())));
  }
  // Only now may they be written over: until here a crash can bring the old names back.
  CO_TRYV(co_await disk_.sync_folder(folder_));
  spares_.insert(spares_.end(), renamed.begin(), renamed.end());
  co_return Result<>{};
}

}   // namespace skerry::disk
