// SPDX-License-Identifier: Apache-2.0
#include "store/rocksdb_store.hpp"

#include <fmt/format.h>
#include <rocksdb/convenience.h>
#include <rocksdb/experimental.h>
#include <rocksdb/file_system.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/sst_partitioner.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <thread>

#include "base/assert.hpp"
#include "store/rocksdb_cache.hpp"
#include "store/rocksdb_files.hpp"
#include "store/rocksdb_log.hpp"

namespace skerry::store {
namespace {

constexpr std::uint32_t area_bit = 1U << 31;
constexpr std::string_view format_file = "SKERRY_ENGINE";
constexpr std::string_view format_text = "skerry engine over RocksDB, format 1\n";

bool supported(rocksdb::CompressionType type) { return std::ranges::count(rocksdb::GetSupportedCompressions(), type) > 0; }

rocksdb::BlockBasedTableOptions table_options(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = 4 << 10;
  table.format_version = 5;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));   // one absent key in a hundred reads a block for nothing
  // Indexes and filters count against the one budget, in pieces, so that a big file's don't have to be there whole.
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  // Those of files at the top (top_file_layout), which every read asks. Not pin_l0_filter_and_index_blocks_in_cache: it leaves
  // out files larger than a flush would write.
  table.metadata_cache_options.unpartitioned_pinning = rocksdb::PinningTier::kAll;
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.pin_top_level_index_and_filter = true;
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  return table;
}

void set_memory(rocksdb::Options& out, RocksDbStore& store, const RocksDbOptions& options) {
  const std::uint64_t budget = options.cache_bytes;
  // Few pieces: a block larger than its piece of the cache would never stay.
  store.cache = std::make_shared<WatchedCache>(
      rocksdb::NewLRUCache(budget, /*num_shard_bits=*/2, /*strict_capacity_limit=*/false, /*high_pri_pool_ratio=*/0.3));
  out.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table_options(store.cache)));
  if (options.memtables == RocksDbOptions::Memtables::used) {
    out.write_buffer_manager = std::make_shared<rocksdb::WriteBufferManager>(budget / 2, store.cache);
    out.write_buffer_size = std::clamp<std::uint64_t>(budget / 8, 1ULL << 20, 64ULL << 20);
    // The core writes into the next one while these are flushed; only when all are full must it wait.
    out.max_write_buffer_number = 6;
  } else {
    out.write_buffer_size = 64 << 10;
  }
  out.target_file_size_base = 64ULL << 20;
  out.max_bytes_for_level_base = 256ULL << 20;
}

rocksdb::Options database_options(RocksDbStore& store, const RocksDbOptions& options) {
  rocksdb::Options out;
  out.create_if_missing = true;
  out.env = store.env.get();
  out.max_open_files = -1;   // every table stays open: a closed one would be a cold read that WatchedCache can't see
  out.max_background_jobs = options.background_threads;
  set_memory(out, store, options);

  out.statistics = store.statistics = rocksdb::CreateDBStatistics();
  store.statistics->set_stats_level(rocksdb::StatsLevel::kExceptHistogramOrTimers);
  out.listeners = {store.watch};
  out.stats_dump_period_sec = 0;
  out.stats_persist_period_sec = 0;
  out.info_log = rocksdb_log(store.folder);

  if (supported(rocksdb::kLZ4Compression)) out.compression = rocksdb::kLZ4Compression;
  if (supported(rocksdb::kZSTD)) out.bottommost_compression = rocksdb::kZSTD;
  out.level_compaction_dynamic_level_bytes = true;
  // Compaction starts a new file where a shard ends, so that a dropped or moved shard touches no other's files.
  out.sst_partitioner_factory = rocksdb::NewSstPartitionerFixedPrefixFactory(4);

  // One thread writes.
  out.allow_concurrent_memtable_write = false;
  out.enable_write_thread_adaptive_yield = false;
  // What a stopped engine didn't flush is in the node's log; a destructor must not start to write.
  out.avoid_flush_during_shutdown = true;
  out.avoid_unnecessary_blocking_io = true;   // deleting old files is background work too
  // A slowed-down write would hold up the core, so the host is told early (stalled) and RocksDB slows down late.
  out.level0_slowdown_writes_trigger = 40;
  out.level0_stop_writes_trigger = 64;
  return out;
}

// RocksDB starts its threads when first needed, which would be from a pinned core: so they are started here.
void start_background_threads(rocksdb::Env& env, int count, const std::vector<unsigned>& cpus) {
  start_unpinned(cpus, [&] {
    env.IncBackgroundThreadsIfNeeded(std::max(1, count), rocksdb::Env::LOW);
    env.IncBackgroundThreadsIfNeeded(1, rocksdb::Env::HIGH);
    // Not where no core is in the way: other processes may be, and a compaction that gets nothing stops writers in the end.
    if (cpus.empty()) env.LowerThreadPoolCPUPriority(rocksdb::Env::LOW);
    for (const auto pool : {rocksdb::Env::LOW, rocksdb::Env::HIGH}) {
      std::promise<void> started;
      env.Schedule([](void* promise) { static_cast<std::promise<void>*>(promise)->set_value(); }, &started, pool);
      started.get_future().wait();
    }
  });
}

Error wrong_format(const std::string& folder, BytesView found) {
  return {make_error_code(Errc::unsupported),
          fmt::format("engine folder {} says {} where this version writes {}: start the version of Skerry that wrote it, or "
                      "give this node an empty data folder",
                      folder, printable(found), printable(format_text))};
}

// The marker is written before the first file of the database, so a folder with a database and no marker isn't ours.
Result<> check_format(rocksdb::FileSystem& files, const std::string& folder) {
  const auto failed = [&](const rocksdb::Status& status) { return fail(rocksdb_error(folder, status)); };
  const rocksdb::IOOptions io;
  if (auto status = files.CreateDirIfMissing(folder, io, nullptr); !status.ok()) return failed(status);
  const std::string path = fmt::format("{}/{}", folder, format_file);
  if (files.FileExists(path, io, nullptr).ok()) {
    std::string found;
    if (auto status = rocksdb::ReadFileToString(&files, path, &found); !status.ok()) return failed(status);
    if (found != format_text) return fail(wrong_format(folder, found));
    return {};
  }
  if (files.FileExists(folder + "/CURRENT", io, nullptr).ok()) return fail(wrong_format(folder, "nothing"));
  const std::string beside = path + ".new";
  if (auto status = rocksdb::WriteStringToFile(&files, rocksdb::Slice(format_text), beside, /*should_sync=*/true); !status.ok()) {
    return failed(status);
  }
  if (auto status = files.RenameFile(beside, path, io, nullptr); !status.ok()) return failed(status);
  std::unique_ptr<rocksdb::FSDirectory> directory;
  if (auto status = files.NewDirectory(folder, io, &directory, nullptr); !status.ok()) return failed(status);
  if (auto status = directory->Fsync(io, nullptr); !status.ok()) return failed(status);
  return {};
}

}  // namespace

Bytes area_prefix(ShardId shard, Area area) {
  const auto id = static_cast<std::uint32_t>(shard.value());
  SKERRY_ASSERT((id & area_bit) == 0);
  Bytes prefix;
  append_big_endian(prefix, area == Area::first ? id : id | area_bit);
  return prefix;
}

Bytes key_prefix(ShardId shard, Space space, Area area) {
  Bytes prefix = area_prefix(shard, area);
  prefix.push_back(static_cast<char>(space));
  return prefix;
}

Bytes applied_value(Offset applied) {
  Bytes value;
  append_little_endian(value, static_cast<std::uint64_t>(applied.value()));
  return value;
}

Bytes staged_value(std::optional<Offset> whole) {
  Bytes value(1, whole ? '\1' : '\0');
  append_little_endian(value, static_cast<std::uint64_t>(whole.value_or(no_offset).value()));
  return value;
}

Bytes prefix_end(Bytes prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xFF) prefix.pop_back();
  SKERRY_ASSERT(!prefix.empty());
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

Error rocksdb_error(const std::string& folder, const rocksdb::Status& status) {
  const std::string text = status.ToString();
  if (status.IsCorruption() || text.find("does not exist") != text.npos || text.find("No such file") != text.npos) {
    return {make_error_code(Errc::corrupt),
            fmt::format("the engine in {} is damaged ({}): put the node's folder back from a backup of the "
                        "data folder; in a cluster replace it by an empty one, and the other replicas fill it again",
                        folder, text)};
  }
  if (status.IsNoSpace())
    return {make_error_code(Errc::io_failed), fmt::format("no space left for the engine in {} ({})", folder, text)};
  if (text.find("lock ") != text.npos) {
    return {make_error_code(Errc::already_exists), fmt::format("the engine in {} is held by another process ({})", folder, text)};
  }
  return {make_error_code(Errc::io_failed), fmt::format("the engine in {} failed: {}", folder, text)};
}

void start_unpinned(const std::vector<unsigned>& cpus, const std::function<void()>& start) {
  std::thread([&] {
    cpu_set_t set;
    CPU_ZERO(&set);
    // Where the process was told to run; its first thread is no core and never pinned.
    if (cpus.empty()) sched_getaffinity(::getpid(), sizeof set, &set);
    for (const unsigned cpu : cpus) CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);   // what can't be had is left as it is
    start();
  }).join();
}

Result<std::shared_ptr<RocksDbStore>> open_store(const std::string& folder, const RocksDbOptions& options) {
  auto store = std::make_shared<RocksDbStore>();
  store->folder = folder;
  const bool memtables = options.memtables == RocksDbOptions::Memtables::used;
  store->watch =
      std::make_shared<RocksDbWatch>(folder, memtables ? RocksDbWatch::FullDisk::fatal : RocksDbWatch::FullDisk::passes);
  store->env = options.env ? options.env : machine_environment();
  start_background_threads(*store->env, options.background_threads, options.background_cpus);
  TRYV(check_format(*store->env->GetFileSystem(), folder));
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(database_options(*store, options), folder, &db);
  if (!status.ok()) return fail(rocksdb_error(folder, status));
  store->db.reset(db);
  return store;
}

namespace {

Error area_without_state(const RocksDbStore& store, ShardId shard) {
  return rocksdb_error(store.folder,
                       rocksdb::Status::Corruption(fmt::format("shard {} has records but no applied offset", shard.value())));
}

// What the one key in an area's space 0 says. False when it makes no sense.
bool take_area(Area area, BytesView value, StoredShard& shard) {
  ByteReader reader(value);
  const bool serves = value.size() == sizeof(std::uint64_t);
  const bool whole = !serves && reader.little_endian<std::uint8_t>() != 0;
  const Offset offset(static_cast<std::int64_t>(reader.little_endian<std::uint64_t>()));
  if (serves) {
    shard.area = area;
    shard.applied = offset;
  } else {
    shard.other_used = true;
    if (whole) shard.staged = offset;
  }
  return reader.done();
}

}  // namespace

Result<std::map<ShardId, StoredShard>> read_shards(RocksDbStore& store) {
  std::map<ShardId, StoredShard> shards;
  std::map<ShardId, Area> staged_in;
  const std::unique_ptr<rocksdb::Iterator> it(store.db->NewIterator({}));
  it->SeekToFirst();
  while (it->Valid()) {
    ByteReader key(BytesView(it->key().data(), it->key().size()));
    const auto head = key.big_endian<std::uint32_t>();
    const Area area = (head & area_bit) == 0 ? Area::first : Area::second;
    const ShardId shard(head & ~area_bit);
    const Bytes wanted = key_prefix(shard, engine_space, area);
    StoredShard& found = shards[shard];
    if (it->key() != rocksdb::Slice(wanted) || !take_area(area, {it->value().data(), it->value().size()}, found)) {
      return fail(area_without_state(store, shard));
    }
    if (found.other_used) staged_in.try_emplace(shard, area);
    it->Seek(prefix_end(area_prefix(shard, area)));
  }
  if (!it->status().ok()) return fail(rocksdb_error(store.folder, it->status()));
  // Of a shard that has only a staged state the other area serves: it is empty.
  for (const auto& [shard, area] : staged_in) shards[shard].area = other(area);
  return shards;
}

std::uint64_t measure_shard(RocksDbStore& store, ShardId shard) {
  rocksdb::SizeApproximationOptions what;
  what.include_memtables = true;
  what.files_size_error_margin = 0.1;
  std::uint64_t sum = 0;
  for (const Area area : {Area::first, Area::second}) {
    const Bytes start = area_prefix(shard, area), end = prefix_end(start);
    const rocksdb::Range range(start, end);
    std::uint64_t bytes = 0;
    store.db->GetApproximateSizes(what, store.db->DefaultColumnFamily(), &range, 1, &bytes);
    sum += bytes;
  }
  return sum;
}

void suggest_compaction(RocksDbStore& store, ShardId shard) {
  for (const Area area : {Area::first, Area::second}) {
    const Bytes start = area_prefix(shard, area), end = prefix_end(start);
    const rocksdb::Slice from(start), to(end);
    static_cast<void>(rocksdb::experimental::SuggestCompactRange(store.db.get(), &from, &to));   // it changes nothing
  }
}

std::shared_ptr<rocksdb::TableFactory> top_file_layout(const RocksDbStore& store) {
  rocksdb::BlockBasedTableOptions table = table_options(store.cache);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(16));   // there are many: one absent key in two thousand for each
  table.partition_filters = false;
  table.index_type = rocksdb::BlockBasedTableOptions::kBinarySearch;
  return std::shared_ptr<rocksdb::TableFactory>(rocksdb::NewBlockBasedTableFactory(table));
}

RocksDbFigures figures_of(const RocksDbStore& store) {
  RocksDbFigures out;
  const auto property = [&](const std::string& name) {
    std::uint64_t value = 0;
    return store.db->GetIntProperty(name, &value) ? value : 0;
  };
  out.cache_hits = store.statistics->getTickerCount(rocksdb::BLOCK_CACHE_HIT);
  out.cache_misses = store.statistics->getTickerCount(rocksdb::BLOCK_CACHE_MISS);
  out.cache_bytes_used = store.cache->GetUsage();
  out.cache_bytes_max = store.cache->GetCapacity();
  out.memtable_bytes = property(rocksdb::DB::Properties::kCurSizeAllMemTables);
  out.table_bytes = property(rocksdb::DB::Properties::kLiveSstFilesSize);
  out.compaction_pending_bytes = property(rocksdb::DB::Properties::kEstimatePendingCompactionBytes);
  const RocksDbWatch& watch = *store.watch;
  out.flushes = watch.flushes;
  out.flushed_bytes = watch.flushed_bytes;
  out.compactions = watch.compactions;
  out.compaction_read_bytes = watch.compaction_read_bytes;
  out.compaction_written_bytes = watch.compaction_written_bytes;
  out.stalls = watch.stalls;
  out.stalled = watch.stalled;
  out.cold_reads = store.cold_reads;
  out.waiting_reads = store.waiting_reads;
  return out;
}

}  // namespace skerry::store
