// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
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
  std::size_t gathered_bytes_max = 256 << 20;   // appended and not yet on disk; more is refused with resource_exhausted
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
  Offset last = no_offset;         // newest entry, also when it was trimmed or came in a snapshot: the next append follows it
  Term last_term = no_term;        // of that entry
  Offset snapshot = no_offset;     // entries up to here came in a snapshot
  MembershipVersion version{0};    // highest recorded by record_term
};

// Where the entries of a term begin. They end before those of the next.
struct TermStart {
  Term term;
  Offset first;
  friend bool operator==(const TermStart&, const TermStart&) = default;
};

// Hears when batches have become durable. Called from the loop, after the sync, once per batch.
class LogListener {
 public:
  virtual ~LogListener() = default;
  virtual void on_synced(Sequence up_to) = 0;
  // The log has stopped for good: a write or a sync failed.
  virtual void on_stopped(const Error& reason) = 0;
};

// One log per node, shared by all its shards: what is appended in one loop turn is written and synced together, and the
// next batch gathers while a sync is in flight. One core's. log_format.hpp has every byte of it.
// Opening cuts a torn tail, and refuses (corrupt, with file and position) damage to what was synced. It reads the newest two
// segments whole, or three after a crash in the wrong moment, and of those before only what they say of themselves: a start
// takes no longer when more is kept. What has rotted in them is found when it is read, or by verify_log().
//
// A full disk does not stop the log. The next segment is made ahead of need; while it can't be, the current one goes on being
// filled, and an append that no longer fits is refused with resource_exhausted before anything is promised. The rest of the
// segment is kept for records that free space (trim, truncate, delete_shard) or fence (record_term). Making it is tried again
// every second and whenever a segment is freed. What had been taken on for a segment that then could not be made waits for
// space; nobody was told that it is durable. Segments are written only within what was zero-filled, so a write meets
// a full disk only on a file system that copies on write; then it stops the log, as every failed write or sync does.
class Log {
 public:
  static Task<Result<std::unique_ptr<Log>>> open(Core& core, Disk& disk, std::string folder, LogOptions options);
  // Drops what was not yet written. Only after stop(), or after the core has dropped its frames.
  virtual ~Log() = default;

  // Adds to this turn's batch and copies the payload. The entry's offset must follow the shard's last, its term must not be
  // below last_term. Nothing is changed by a failure: resource_exhausted when it can't fit in a segment, too much is gathered
  // or the disk is full; invalid_argument; io_failed once the log has failed; closed once stop() was called.
  // So with all the others below. One that changes nothing (a trim further back, the same term) returns an earlier sequence.
  virtual Result<Sequence> append(ShardId shard, Term term, Offset offset, BytesView payload) = 0;
  // Promises never to accept a lower term, nor an older membership.
  virtual Result<Sequence> record_term(ShardId shard, Term term, MembershipVersion version = MembershipVersion(-1)) = 0;
  virtual Result<Sequence> truncate(ShardId shard, Offset last_kept) = 0;          // logical; a later append reuses offsets
  virtual Result<Sequence> snapshot_installed(ShardId shard, Term term, Offset offset) = 0;   // forgets all entries before
  virtual Result<Sequence> delete_shard(ShardId shard) = 0;
  // Entries below `first_kept` are needed no more; segments go when no shard needs them.
  virtual Result<Sequence> trim(ShardId shard, Offset first_kept) = 0;

  // Whether that much more can be appended now; not when a record alone is too large for a segment.
  virtual bool has_room(std::size_t records, std::size_t payload_bytes) const = 0;

  virtual Sequence synced() const = 0;
  // When the oldest of what is not durable yet was appended; nothing when all is.
  virtual std::optional<TimePoint> waiting_since() const = 0;
  // Returns once everything up to `sequence` is durable; fails with the reason when the log has stopped.
  virtual Task<Result<>> wait_synced(Sequence sequence) = 0;
  virtual void add_listener(LogListener& listener) = 0;
  virtual void remove_listener(LogListener& listener) = 0;

  virtual std::map<ShardId, LogShard> shards() const = 0;
  virtual LogShard shard(ShardId shard) const = 0;
  // Of the entries that are kept and the one before them, oldest first; the first may begin earlier than it says.
  virtual std::vector<TermStart> terms(ShardId shard) const = 0;
  // Entries from `from` on, in order, at least one if it exists, then no more than `bytes_max`. Also unsynced ones.
  // Fails with not_found when `from` has been trimmed.
  virtual Task<Result<std::vector<LogEntry>>> read(ShardId shard, Offset from, std::size_t bytes_max) = 0;

  // What read() has first found damaged of what was synced; nothing: nothing was.
  virtual const std::optional<Error>& damage() const = 0;

  virtual std::uint64_t bytes() const = 0;                        // of all segments in use
  virtual std::uint64_t bytes_since(ShardId shard, Offset offset) const = 0;   // roughly what a replay would read
  virtual std::optional<ShardId> oldest_holder() const = 0;       // the shard that pins the oldest segment

  // Writes and syncs what is gathered, then refuses appends.
  virtual Task<Result<>> stop() = 0;
};

}  // namespace skerry::disk
