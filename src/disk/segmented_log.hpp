// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <memory>
#include <optional>

#include "disk/log.hpp"
#include "disk/log_recovery.hpp"
#include "disk/log_segments.hpp"
#include "disk/log_table.hpp"
#include "runtime/core.hpp"
#include "runtime/event.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::disk {

// The Log. Records get their place when they are appended; the writer task writes one batch after the other and syncs each, so
// at most one batch is on its way at any time and only the last one can be torn. The housekeeper task makes the next segment,
// writes the footers of closed ones and recycles old ones.
class SegmentedLog final : public Log, private TurnHook {
 public:
  SegmentedLog(Core& core, Disk& disk, std::string folder, const LogOptions& options, std::unique_ptr<FolderLock> lock,
               RecoveredLog recovered);
  // Makes the first segment of a new log, then starts the tasks.
  Task<Result<>> start(std::vector<std::uint64_t> unneeded);

  Result<Sequence> append(ShardId shard, Term term, Offset offset, BytesView payload) override;
  Result<Sequence> record_term(ShardId shard, Term term, MembershipVersion version) override;
  Result<Sequence> truncate(ShardId shard, Offset last_kept) override;
  Result<Sequence> snapshot_installed(ShardId shard, Term term, Offset offset) override;
  Result<Sequence> delete_shard(ShardId shard) override;
  Result<Sequence> trim(ShardId shard, Offset first_kept) override;

  Sequence synced() const override { return Sequence(synced_); }
  std::optional<TimePoint> waiting_since() const override;
  Task<Result<>> wait_synced(Sequence sequence) override;
  void add_listener(LogListener& listener) override;
  void remove_listener(LogListener& listener) override;

  std::map<ShardId, LogShard> shards() const override { return table_.shards(); }
  bool has_room(std::size_t records, std::size_t payload_bytes) const override;
  std::vector<TermStart> terms(ShardId shard) const override { return table_.terms(shard); }
  LogShard shard(ShardId shard) const override { return table_.shard(shard); }
  Task<Result<std::vector<LogEntry>>> read(ShardId shard, Offset from, std::size_t bytes_max) override;

  const std::optional<Error>& damage() const override { return damage_; }
  std::uint64_t bytes() const override;
  std::uint64_t bytes_since(ShardId shard, Offset offset) const override;
  std::optional<ShardId> oldest_holder() const override;

  Task<Result<>> stop() override;

 private:
  // Records that are written together.
  struct Batch {
    std::shared_ptr<Segment> segment;
    std::uint64_t position;
    std::uint64_t first_sequence;
    Bytes bytes;           // header and records
    TimePoint begun;
    bool closed = false;   // on its way to the disk
  };
  // Segments before `generation` can go once `sequence` is synced.
  struct Release {
    std::uint64_t generation;
    std::uint64_t sequence;
  };

  // The one way in for every record.
  Result<Sequence> add(RecordHeader record, BytesView payload);
  Result<> make_room(const RecordHeader& record, std::size_t payload_bytes);
  bool fits_here(std::size_t record_bytes, bool may_use_reserve) const;
  std::uint64_t reserve() const;
  std::uint64_t footer_room() const;
  Result<> next_segment(std::size_t record_bytes);
  Batch& open_batch();
  Batch& start_batch(const Bytes* summary);
  void place(Batch& batch, RecordHeader record, BytesView payload);
  void note_release();

  void on_turn_end() override { work_.notify_all(); }
  Task<> write_batches();
  Task<Result<>> write(Batch& batch);
  bool sync_due() const;
  Task<Result<>> sync_for_release();
  Task<Result<>> wait_made(std::shared_ptr<Segment> segment);
  void batch_done(const Batch& batch);
  void tell_synced();
  void halt(Error reason);
  Task<> write_closing_batch();

  Task<> keep_house();
  Task<bool> recycle_released();
  std::shared_ptr<Segment> unmade() const;
  std::shared_ptr<Segment> without_footer() const;
  Task<Result<>> write_footer(std::shared_ptr<Segment> segment);

  // Reading, in log_reader.cpp.
  struct Walk;
  std::unexpected<Error> unreadable(Error error);
  Task<Result<bool>> walk(Walk& walk);
  Task<Result<Bytes>> fetch(LogPlace place, std::size_t bytes) const;
  const Batch* gathered_at(LogPlace place) const;
  std::shared_ptr<Segment> segment(std::uint64_t generation) const;

  Core& core_;
  LogOptions options_;
  std::unique_ptr<FolderLock> lock_;
  LogTable table_;
  SegmentPool pool_;
  std::deque<std::shared_ptr<Segment>> segments_;   // in use, oldest first; records go to the last
  std::shared_ptr<Segment> next_;                   // made ahead of need
  std::shared_ptr<Segment> written_;                // the one the writer wrote to last
  std::deque<Batch> queue_;                         // not yet durable; the first may be on its way
  std::size_t gathered_bytes_ = 0;                  // in queue_
  std::uint64_t next_sequence_;
  std::uint64_t synced_;
  std::deque<Release> releases_;
  std::uint64_t released_up_to_;                    // releases up to here are durable, and may be carried out
  std::vector<LogListener*> listeners_;
  std::optional<Error> failure_, damage_;
  bool stopping_ = false;
  Signal work_, durable_, made_, chores_;
  TaskScope tasks_;
};

}  // namespace skerry::disk
