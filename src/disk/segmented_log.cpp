// SPDX-License-Identifier: Apache-2.0
#include "disk/segmented_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "base/hash.hpp"

namespace skerry::disk {
namespace {

constexpr std::uint64_t reserve_max = 64 << 10;   // hundreds of trims, each in a batch of its own

constexpr std::size_t record_bytes(std::size_t payload) { return record_header_bytes + payload; }

bool frees_or_fences(RecordKind kind) { return kind != RecordKind::append && kind != RecordKind::snapshot_installed; }

}  // namespace

SegmentedLog::SegmentedLog(Core& core, Disk& disk, std::string folder, const LogOptions& options,
                           std::unique_ptr<FolderLock> lock, RecoveredLog recovered)
    : core_(core), options_(options), lock_(std::move(lock)), table_(std::move(recovered.table)),
      pool_(core, disk, std::move(folder), options, std::move(recovered.spares)), segments_(std::move(recovered.segments)),
      next_sequence_(recovered.next_sequence), synced_(recovered.next_sequence - 1), released_up_to_(synced_), work_(core),
      durable_(core), made_(core), chores_(core), tasks_(core) {}

Task<Result<>> SegmentedLog::start(std::vector<std::uint64_t> unneeded) {
  CO_TRYV(co_await pool_.recycle(std::move(unneeded)));
  if (segments_.empty()) {
    segments_.push_back(pool_.plan(1));
    CO_TRYV(co_await pool_.make(segments_.back()));
  }
  next_ = pool_.plan(segments_.back()->header.generation + 1);
  written_ = segments_.back();
  note_release();
  tasks_.spawn(write_batches());
  tasks_.spawn(keep_house());
  co_return Result<>{};
}

Result<Sequence> SegmentedLog::append(ShardId shard, Term term, Offset offset, BytesView payload) {
  return add({.kind = RecordKind::append, .shard = shard, .term = term, .offset = offset}, payload);
}
Result<Sequence> SegmentedLog::record_term(ShardId shard, Term term, MembershipVersion version) {
  return add({.kind = RecordKind::term, .shard = shard, .term = term, .offset = Offset(version.value())}, {});
}
Result<Sequence> SegmentedLog::truncate(ShardId shard, Offset last_kept) {
  return add({.kind = RecordKind::truncate, .shard = shard, .offset = last_kept}, {});
}
Result<Sequence> SegmentedLog::snapshot_installed(ShardId shard, Term term, Offset offset) {
  return add({.kind = RecordKind::snapshot_installed, .shard = shard, .term = term, .offset = offset}, {});
}
Result<Sequence> SegmentedLog::delete_shard(ShardId shard) {
  return add({.kind = RecordKind::shard_deleted, .shard = shard}, {});
}
Result<Sequence> SegmentedLog::trim(ShardId shard, Offset first_kept) {
  return add({.kind = RecordKind::trimmed, .shard = shard, .offset = first_kept}, {});
}

Result<Sequence> SegmentedLog::add(RecordHeader record, BytesView payload) {
  if (failure_) return fail(*failure_);
  if (stopping_) return fail(Errc::closed, "the log is closed");
  TRYV(table_.check(record));
  if (!table_.changes(record)) return Sequence(next_sequence_ - 1);
  const std::uint64_t generation = segments_.back()->header.generation;
  TRYV(make_room(record, payload.size()));
  place(open_batch(), record, payload);
  // Only after the record is placed: a segment goes only when the head of a later one is durable, which this record follows.
  if (record.kind != RecordKind::append || segments_.back()->header.generation != generation) note_release();
  core_.at_turn_end(*this);
  return Sequence(next_sequence_ - 1);
}

bool SegmentedLog::has_room(std::size_t records, std::size_t payload_bytes) const {
  const std::size_t bytes = payload_bytes + records * record_bytes(0);
  if (failure_ || stopping_ || gathered_bytes_ + bytes > options_.gathered_bytes_max) return false;
  return !next_->failure || fits_here(bytes, /*may_use_reserve=*/false);
}

Result<> SegmentedLog::make_room(const RecordHeader& record, std::size_t payload_bytes) {
  if (gathered_bytes_ + record_bytes(payload_bytes) > options_.gathered_bytes_max) {
    return fail(Errc::resource_exhausted,
                fmt::format("{} bytes wait to be written to the log: the disk is too slow for what is asked", gathered_bytes_));
  }
  if (fits_here(record_bytes(payload_bytes), frees_or_fences(record.kind))) return {};
  return next_segment(record_bytes(payload_bytes));
}

// The reserve is kept only while nobody knows that there will be a next segment.
bool SegmentedLog::fits_here(std::size_t bytes, bool may_use_reserve) const {
  const Segment& current = *segments_.back();
  const bool joins = !queue_.empty() && !queue_.back().closed && queue_.back().segment == segments_.back();
  std::uint64_t need = bytes + (joins ? 0 : record_header_bytes);
  if (!current.begun()) need += record_bytes(table_.encode_summary(current.previous).size());
  if (next_->failure && !may_use_reserve) need += reserve();
  // The first record may take all room, and so may one that helps out of a full disk: a footer can be done without.
  if (current.begun() && !(next_->failure && may_use_reserve)) need += footer_room();
  return need <= current.header.bytes - current.end;
}

std::uint64_t SegmentedLog::reserve() const { return std::min(reserve_max, options_.segment_bytes / 16); }

// For the current segment's footer, and the batch that closes the log. Within limits: with thousands of shards in small
// segments it is better to go without footers than without entries.
std::uint64_t SegmentedLog::footer_room() const {
  const std::uint64_t wanted = 2 * record_header_bytes + table_.state_bytes_max(segments_.back()->header.generation);
  return std::min(wanted, options_.segment_bytes / 8);
}

Result<> SegmentedLog::next_segment(std::size_t bytes) {
  const PreviousSegment previous{segments_.back()->header.generation, segments_.back()->end};
  const Bytes summary = table_.encode_summary(previous);
  const std::uint64_t head = segment_data_start + record_header_bytes + record_bytes(summary.size());
  if (head + bytes > next_->header.bytes) {
    return fail(Errc::resource_exhausted,
                fmt::format("a record of {} bytes does not fit in a log segment of {} bytes, {} of them taken by its head: "
                            "write smaller batches, or raise wal-segment-bytes",
                            bytes, next_->header.bytes, head));
  }
  if (!segments_.back()->begun()) {
    return fail(Errc::resource_exhausted, fmt::format("a record of {} bytes does not fit in a log segment of {} bytes", bytes,
                                                      segments_.back()->header.bytes));
  }
  if (next_->failure) {
    return fail(next_->failure->code == Errc::resource_exhausted ? Errc::resource_exhausted : Errc::io_failed,
                "the log is full and cannot grow: " + next_->failure->message());
  }
  segments_.back()->footer = footer_of(*segments_.back(), table_, next_sequence_);
  next_->previous = previous;
  segments_.push_back(std::move(next_));
  next_ = pool_.plan(previous.generation + 2);
  start_batch(&summary);
  chores_.notify_all();
  return {};
}

std::optional<TimePoint> SegmentedLog::waiting_since() const {
  return queue_.empty() ? std::nullopt : std::optional(queue_.front().begun);
}

SegmentedLog::Batch& SegmentedLog::open_batch() {
  if (!queue_.empty() && !queue_.back().closed && queue_.back().segment == segments_.back()) return queue_.back();
  if (segments_.back()->begun()) return start_batch(nullptr);
  const Bytes summary = table_.encode_summary(segments_.back()->previous);
  return start_batch(&summary);
}

SegmentedLog::Batch& SegmentedLog::start_batch(const Bytes* summary) {
  const auto& segment = segments_.back();
  if (!segment->begun()) segment->first_sequence = next_sequence_;
  Batch& batch = queue_.emplace_back(segment, segment->end, next_sequence_, Bytes(record_header_bytes, '\0'), core_.now());
  segment->end += record_header_bytes;
  gathered_bytes_ += record_header_bytes;
  // Readers walk over it before it is written; write() puts in what is known then.
  encode_record_header(batch_header(segment->header, 0, 0, next_sequence_), segment->header.seed(), batch.bytes.data());
  if (summary != nullptr) place(batch, {.kind = RecordKind::summary}, *summary);
  return batch;
}

void SegmentedLog::place(Batch& batch, RecordHeader record, BytesView payload) {
  Segment& segment = *batch.segment;
  const LogPlace here{segment.header.generation, segment.end};
  record.sequence = next_sequence_;
  record.payload_bytes = static_cast<std::uint32_t>(payload.size());
  record.payload_crc = crc32c(payload);
  char header[record_header_bytes];
  encode_record_header(record, segment.header.seed(), header);
  batch.bytes.append(header, sizeof header).append(payload);
  segment.end += record_bytes(payload.size());
  gathered_bytes_ += record_bytes(payload.size());
  if (record.kind == RecordKind::summary) return;
  ++next_sequence_;
  table_.apply(record, here);
}

// What the records so far leave nobody in need of may go once they are synced.
void SegmentedLog::note_release() {
  const auto holder = table_.oldest_holder();
  const std::uint64_t current = segments_.back()->header.generation;
  const std::uint64_t needed = holder ? std::min(holder->generation, current) : current;
  const std::uint64_t known = releases_.empty() ? segments_.front()->header.generation : releases_.back().generation;
  if (needed > known) releases_.push_back({needed, next_sequence_ - 1});
}

Task<Result<>> SegmentedLog::wait_synced(Sequence sequence) {
  while (synced_ < sequence.value()) {
    if (failure_) co_return fail(*failure_);
    if (stopping_ && tasks_.size() == 0) co_return fail(Errc::closed, "the log is closed");
    co_await durable_.wait();
  }
  co_return Result<>{};
}

void SegmentedLog::add_listener(LogListener& listener) { listeners_.push_back(&listener); }

void SegmentedLog::remove_listener(LogListener& listener) { std::ranges::replace(listeners_, &listener, nullptr); }

std::uint64_t SegmentedLog::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& segment : segments_) sum += segment->header.bytes;
  return sum;
}

std::uint64_t SegmentedLog::bytes_since(ShardId shard, Offset offset) const {
  const LogShard known = table_.shard(shard);
  if (known.first == no_offset || offset > known.last) return 0;
  const auto point = table_.point_before(shard, std::max(offset, known.first));
  if (!point) return 0;
  std::uint64_t sum = 0;
  for (const auto& segment : segments_) {
    if (segment->header.generation < point->place.generation) continue;
    sum += segment->end - (segment->header.generation == point->place.generation ? point->place.position : segment_data_start);
  }
  return sum;
}

std::optional<ShardId> SegmentedLog::oldest_holder() const {
  const auto holder = table_.oldest_holder();
  if (!holder || segments_.size() == 1 || holder->generation != segments_.front()->header.generation) return std::nullopt;
  return holder->shard;
}

Task<Result<std::unique_ptr<Log>>> Log::open(Core& core, Disk& disk, std::string folder, LogOptions options) {
  if (options.segment_bytes < segment_bytes_min || options.segment_bytes > segment_bytes_max) {
    co_return fail(Errc::invalid_argument, fmt::format("wal-segment-bytes is {}: it must be between {} and {}",
                                                       options.segment_bytes, segment_bytes_min, segment_bytes_max));
  }
  CO_TRYV(disk.make_folders(folder));
  CO_TRY(auto lock, disk.lock(folder));
  CO_TRY(RecoveredLog recovered, co_await recover_log(core, disk, folder, Repair::yes));
  std::vector<std::uint64_t> unneeded = std::move(recovered.unneeded);
  auto log = std::make_unique<SegmentedLog>(core, disk, std::move(folder), options, std::move(lock), std::move(recovered));
  CO_TRYV(co_await log->start(std::move(unneeded)));
  co_return std::unique_ptr<Log>(std::move(log));
}

}  // namespace skerry::disk
