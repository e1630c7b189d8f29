// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "disk/disk.hpp"
#include "runtime/task.hpp"

namespace skerry {
class Core;
}

namespace skerry::disk {

// Position of a record in the node's log: rises by one with every record of any shard and kind.
using Sequence = StrongId<struct SequenceTag, std::uint64_t>;

enum class Durable { no, yes };

struct LogOptions {
  std::uint64_t segment_bytes = 64 << 20;    // zero-filled once, then recycled; the largest record must fit in one
  std::size_t spare_segments_max = 4;        // kept for recycling
  Durable durable = Durable::yes;            // no: records count as synced once written (a power loss may lose them)
};

struct LogEntry {
  Term term;
  Offset offset;
  Bytes payload;
};

// What the log knows of one shard.
struct LogShard {
  Term term = no_term;             // highest recorded, by append or by record_term
  Offset first = no_offset;        // oldest entry that can be read; no_offset when there is none
  Offset last = no_offset;         // newest entry
  Term last_term = no_term;
  Offset snapshot = no_offset;     // entries up to here came in a snapshot
};

// Hears when batches have become durable. Called from the loop, after the sync, once per batch.
class LogListener {
 public:
  virtual ~LogListener() = default;
  virtual void on_synced(Sequence up_to) = 0;
  // The log has stopped for good: a write or a sync failed, or the disk is full.
  virtual void on_stopped(const Error& reason) = 0;
};

// One log per node, shared by all its shards: what is appended in one loop turn is written and synced together, and the
// next batch gathers while a sync is in flight. One core's. Decision 10 in docs/adr tells the format; log_format.hpp is it.
// Opening cuts a torn tail, and refuses (corrupt, with file and position) damage to what was synced.
class Log {
 public:
  static Task<Result<std::unique_ptr<Log>>> open(Core& core, Disk& disk, std::string folder, LogOptions options);
  virtual ~Log() = default;   // drops what was not yet written; stop() first to keep it

  // Adds to this turn's batch and copies the payload. Fails with resource_exhausted when it can't fit in a segment (nothing is
  // changed then), with io_failed once stopped. The entry's offset must follow the shard's last.
  virtual Result<Sequence> append(ShardId shard, Term term, Offset offset, BytesView payload) = 0;
  virtual Result<Sequence> record_term(ShardId shard, Term term) = 0;              // promises never to accept a lower one
  virtual Result<Sequence> truncate(ShardId shard, Offset last_kept) = 0;          // logical; a later append reuses offsets
  virtual Result<Sequence> snapshot_installed(ShardId shard, Term term, Offset offset) = 0;   // forgets all entries before
  virtual Result<Sequence> delete_shard(ShardId shard) = 0;
  // Entries below `first_kept` are needed no more; segments go when no shard needs them.
  virtual Result<Sequence> trim(ShardId shard, Offset first_kept) = 0;

  virtual Sequence synced() const = 0;
  // Returns once everything up to `sequence` is durable; fails with the reason when the log has stopped.
  virtual Task<Result<>> wait_synced(Sequence sequence) = 0;
  virtual void add_listener(LogListener& listener) = 0;
  virtual void remove_listener(LogListener& listener) = 0;

  virtual std::map<ShardId, LogShard> shards() const = 0;
  virtual LogShard shard(ShardId shard) const = 0;
  // Entries from `from` on, in order, at least one if it exists, then no more than `bytes_max`. Also unsynced ones.
  // Fails with not_found when `from` has been trimmed.
  virtual Task<Result<std::vector<LogEntry>>> read(ShardId shard, Offset from, std::size_t bytes_max) = 0;

  virtual std::uint64_t bytes() const = 0;                        // of all segments in use
  virtual std::uint64_t bytes_since(ShardId shard, Offset offset) const = 0;   // roughly what a replay would read
  virtual std::optional<ShardId> oldest_holder() const = 0;       // the shard that pins the oldest segment

  // Writes and syncs what is gathered, then refuses appends.
  virtual Task<Result<>> stop() = 0;
};

}  // namespace skerry::disk
