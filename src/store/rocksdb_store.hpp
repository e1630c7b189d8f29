// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/statistics.h>

#include <atomic>
#include <functional>
#include <map>

#include "store/rocksdb_engine.hpp"
#include "store/rocksdb_watch.hpp"

// What the engine, its shards and cursors share of one open RocksDB. Inside the store only.
namespace skerry::store {

// A shard has two areas of keys: one serves, in the other a state is staged that will take its place. Space 0 of an area is the
// engine's own and holds one key. Its value in the area that serves: the applied offset, 8 bytes little endian. In the other: a
// byte that says whether the staged state is whole, then 8 bytes of the offset it stands for.
enum class Area : std::uint8_t { first = 0, second = 1 };
constexpr Area other(Area area) { return area == Area::first ? Area::second : Area::first; }
constexpr Space engine_space{0};
constexpr std::size_t area_prefix_bytes = 4, prefix_bytes = 5;

// What all keys of an area begin with: the shard's id, with the highest bit for the area.
Bytes area_prefix(ShardId shard, Area area);
// The five bytes before every key of one space of a shard.
Bytes key_prefix(ShardId shard, Space space, Area area = Area::first);
// The values of an area's one key in space 0.
Bytes applied_value(Offset applied);
Bytes staged_value(std::optional<Offset> whole);
// The first key behind everything that begins with `prefix`. Requires: not all 0xFF.
Bytes prefix_end(Bytes prefix);

// An Error for a status that is not ok; names the folder, and what to do where a person can.
Error rocksdb_error(const std::string& folder, const rocksdb::Status& status);

// An open database and what it stands on. Shared with jobs on helper threads and with cursors, so that a cancelled waiter
// leaves nothing dangling; the last to let go closes it.
struct RocksDbStore {
  std::string folder;
  std::shared_ptr<rocksdb::Env> env;
  std::shared_ptr<RocksDbWatch> watch;
  std::shared_ptr<rocksdb::Statistics> statistics;
  std::shared_ptr<rocksdb::Cache> cache;
  std::unique_ptr<rocksdb::DB> db;
  std::atomic<std::uint64_t> cold_reads = 0, waiting_reads = 0;
};

// Everything below waits for the disk: helper threads only.

// Starts the process's background threads away from the calling thread's processors, and opens or creates the database.
Result<std::shared_ptr<RocksDbStore>> open_store(const std::string& folder, const RocksDbOptions& options);
// The shards and the offsets that a crash would leave.
struct StoredShard {
  Area area = Area::first;   // that serves
  Offset applied = no_offset;
  bool other_used = false;   // the other area holds something
  std::optional<Offset> staged;   // and that is a whole state
};
Result<std::map<ShardId, StoredShard>> read_shards(RocksDbStore& store);
std::uint64_t measure_shard(RocksDbStore& store, ShardId shard);
// After it was dropped. A hint that only makes space earlier.
void suggest_compaction(RocksDbStore& store, ShardId shard);
// Calls `start` on a thread that may run where background work shall, whatever the caller was pinned to: threads inherit the
// processors of the one that starts them. Empty: every processor.
void start_unpinned(const std::vector<unsigned>& cpus, const std::function<void()>& start);
// How files are laid out that start at the top, where every read has to ask each of them: filter and index whole, so that they
// stay in memory and are asked without a lookup in the cache.
std::shared_ptr<rocksdb::TableFactory> top_file_layout(const RocksDbStore& store);
RocksDbFigures figures_of(const RocksDbStore& store);

}   // namespace skerry::store
