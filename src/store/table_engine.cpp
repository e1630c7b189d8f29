// SPDX-License-Identifier: Apache-2.0
#include "store/table_engine.hpp"

#include <algorithm>
#include <atomic>

#include "base/assert.hpp"
#include "runtime/core.hpp"
#include "runtime/task_scope.hpp"
#include "store/table_shard.hpp"
#include "store/table_writer.hpp"

namespace skerry::store {
namespace {

// More files at the top than that make reads slow: writing waits for compaction, and writers for it in the end.
constexpr std::uint64_t top_files_max = 24;
constexpr Duration compaction_look = 10ms;
// Between attempts to write to a full disk.
constexpr Duration retry_first = 200ms, retry_last = 5s, retry_look = 20ms;

// Smaller changes of what tables and loaded records take are not worth changing the block cache for.
constexpr std::uint64_t blocks_step = 1 << 20;

struct OpenJob {
  Result<std::shared_ptr<RocksDbStore>> store;
  Result<std::map<ShardId, StoredShard>> shards;
  std::unique_ptr<HelperThreads> writer;
};

void open_all(const std::string& folder, const TableEngineOptions& options, OpenJob& job) {
  RocksDbOptions database = options.database;
  database.cache_bytes = options.cache_bytes;
  database.memtables = RocksDbOptions::Memtables::unused;
  job.store = open_store(folder, database);
  if (!job.store) return;
  if (auto prepared = prepare_for_tables(**job.store); !prepared) {
    job.store = fail(prepared.error());
    return;
  }
  job.shards = read_shards(**job.store);
  if (options.writer == nullptr) {
    start_unpinned(database.background_cpus, [&] { job.writer = std::make_unique<HelperThreads>(1); });
  }
}

std::uint64_t top_files(const RocksDbStore& store) {
  std::string count;
  store.db->GetProperty(rocksdb::DB::Properties::kNumFilesAtLevelPrefix + "0", &count);
  return std::strtoull(count.c_str(), nullptr, 10);
}

}  // namespace

struct TableEngine::Members {
  Members(Core& on_core, Blocking& blocking, std::shared_ptr<RocksDbStore> store, TableLimits limits)
      : core(on_core), ground{on_core,
                              std::move(store),
                              blocking,
                              TableStack(limits),
                              [this] { applied(); },
                              [this] { memory_moved(); },
                              [this] { return make_durable(); }},
        progress(core), tasks(core) {}

  void applied() {
    ground.stack.shed();
    memory_moved();
    if (ground.stack.full() && ground.stack.frozen().size() < TableStack::frozen_max * 2) freeze();
    if (under_way && !ground.stack.has_much_room()) under_way->pace.hurry();
  }
  // What tables and records took, the blocks give back.
  void memory_moved() {
    const std::uint64_t wanted = ground.stack.blocks_bytes(), given = *blocks_bytes;
    if (ground.stack.has_discarded() || std::max(wanted, given) - std::min(wanted, given) > blocks_step) divide_memory();
  }
  void freeze();
  void write_on();
  Task<> write_loop();
  Task<> wait_for_compactions();
  Task<> wait_to_retry(Duration length);
  bool finish(const TableStack::Frozen& table, const TableJob& job);
  Task<Result<>> make_durable();
  void divide_memory();
  void tell();
  void await_tables();
  Result<> health() const { return ground.store ? ground.store->watch->health() : fail(Errc::closed, "the engine is stopped"); }

  Core& core;
  TableGround ground;
  std::map<ShardId, std::unique_ptr<TableShard>> shards;
  std::vector<ShardId> dropped;       // in this process: the database may have remains of them
  std::optional<Error> obstacle;
  EngineListener* listener = nullptr;
  bool writing = false, retry_now = false, stopping = false;
  std::shared_ptr<TableJob> under_way;   // the table that is being written
  std::uint64_t awaited = 0;          // somebody waits for the tables up to this number
  std::uint64_t attempts = 0, ingests = 0, ingested_bytes = 0, failures = 0;
  WallTime last_ingest{};
  WaitList progress;                  // woken after each attempt
  Blocking* writer = nullptr;
  const std::shared_ptr<std::atomic<std::uint64_t>> blocks_bytes = std::make_shared<std::atomic<std::uint64_t>>(0);
  TaskScope tasks;
  std::unique_ptr<HelperThreads> own_writer;   // last: its destruction waits for what it does
};

// --- writing tables

void TableEngine::Members::freeze() {
  std::vector<std::pair<ShardId, Offset>> offsets;
  for (const auto& [id, shard] : shards) {
    if (!shard->changed()) continue;
    offsets.emplace_back(id, shard->applied());
    shard->freeze_offset();
  }
  if (!ground.stack.dirty()) return;
  ground.stack.freeze(std::move(offsets));
  divide_memory();
  write_on();
}

void TableEngine::Members::write_on() {
  if (writing || ground.stack.frozen().empty() || !health()) return;
  writing = true;
  tasks.spawn(write_loop());
}

// One table after the other, the oldest first, until there is none left or the disk failed for good.
Task<> TableEngine::Members::write_loop() {
  Duration wait = retry_first;
  while (!ground.stack.frozen().empty()) {
    co_await wait_for_compactions();
    const TableStack::Frozen table = ground.stack.frozen().front();
    const auto job = std::make_shared<TableJob>();
    job->table = table.table;
    job->number = table.number;
    for (const auto& [id, offset] : table.offsets) job->measure.push_back(id);
    if (table.number <= awaited || !own_writer || !ground.stack.has_much_room()) job->pace.hurry();
    under_way = job;
    co_await writer->run([store = ground.store, job] { write_table(*store, *job); });
    under_way.reset();
    ++attempts;
    if (finish(table, *job)) {
      wait = retry_first;
    } else if (obstacle) {
      tell();
      co_await wait_to_retry(wait);
      wait = std::min(wait * 2, retry_last);
      continue;
    } else {
      break;
    }
    tell();
  }
  writing = false;
  tell();
}

// What became of an attempt to write the oldest table.
bool TableEngine::Members::finish(const TableStack::Frozen& table, const TableJob& job) {
  obstacle.reset();
  if (job.status.IsNoSpace()) {
    obstacle = rocksdb_error(ground.store->folder, job.status);
    ++failures;
    return false;
  }
  if (!job.status.ok()) {
    ground.store->watch->failed(job.status);
    return false;
  }
  ground.stack.oldest_is_written();
  divide_memory();
  ++ingests;
  ingested_bytes += job.file_bytes;
  last_ingest = core.clock().wall();
  for (std::size_t i = 0; i < table.offsets.size(); ++i) {
    const auto shard = shards.find(table.offsets[i].first);
    if (shard == shards.end() || !shard->second->is_in(table.number)) continue;   // dropped meanwhile
    shard->second->written(table.offsets[i].second);
    shard->second->measured(job.bytes[i]);
  }
  return true;
}

Task<> TableEngine::Members::wait_for_compactions() {
  while (!stopping && health() && !ground.store->watch->obstacle() && top_files(*ground.store) >= top_files_max) {
    co_await core.sleep_for(compaction_look);
  }
}

Task<> TableEngine::Members::wait_to_retry(Duration length) {
  retry_now = false;
  const TimePoint until = core.now() + length;
  while (!retry_now && core.now() < until) co_await core.sleep_for(retry_look);
}

void TableEngine::Members::tell() {
  progress.wake_all();
  if (listener != nullptr) listener->on_room_changed();
}

// Gives the database's blocks what tables leave of the budget, and frees tables where that holds up nobody.
void TableEngine::Members::divide_memory() {
  *blocks_bytes = ground.stack.blocks_bytes();
  // Evicting and unmapping take milliseconds. Whichever of several runs last, it sets what was wanted last.
  ground.blocking.submit([store = ground.store, wanted = blocks_bytes, tables = ground.stack.take_discarded()]() mutable {
    store->cache->SetCapacity(*wanted);
    tables.clear();
  });
}

// All that are frozen.
void TableEngine::Members::await_tables() {
  awaited = ground.stack.frozen_number();
  if (under_way) under_way->pace.hurry();
}

// Freezes what there is and waits until it is written. While the disk is full: until one more attempt has failed.
Task<Result<>> TableEngine::Members::make_durable() {
  const std::uint64_t seen = attempts;
  const auto failed = [this, seen]() -> Result<> {
    TRYV(health());
    if (obstacle && attempts > seen) return fail(*obstacle);
    return {};
  };
  await_tables();
  while (ground.stack.frozen().size() >= TableStack::frozen_max) {
    retry_now = true;
    co_await progress.wait();
    CO_TRYV(failed());
  }
  freeze();
  await_tables();
  const std::uint64_t wanted = ground.stack.frozen_number();
  while (ground.stack.written_number() < wanted) {
    CO_TRYV(failed());
    retry_now = true;
    co_await progress.wait();
  }
  co_return Result<>{};
}

// --- the engine

TableEngine::TableEngine(std::unique_ptr<Members> members) : members_(std::move(members)) {}
TableEngine::~TableEngine() = default;

Task<Result<std::unique_ptr<TableEngine>>> TableEngine::open(Blocking& blocking, std::string folder, TableEngineOptions options) {
  Core& core = Core::of(co_await asio::this_coro::executor);
  const auto job = std::make_shared<OpenJob>();
  co_await blocking.run([folder, options, job] { open_all(folder, options, *job); });
  CO_TRY(std::shared_ptr<RocksDbStore> store, std::move(job->store));
  CO_TRY(const auto shards, std::move(job->shards));
  const TableLimits limits = TableLimits::of(options.cache_bytes, options.replay_bytes_max);
  auto members = std::make_unique<Members>(core, blocking, std::move(store), limits);
  members->own_writer = std::move(job->writer);
  members->writer = options.writer != nullptr ? options.writer : members->own_writer.get();
  for (const auto& [id, stored] : shards) {
    members->shards.emplace(id, std::make_unique<TableShard>(members->ground, id, stored, TableShard::InDatabase::yes));
  }
  members->divide_memory();
  co_return std::unique_ptr<TableEngine>(new TableEngine(std::move(members)));
}

Result<ShardEngine*> TableEngine::shard(ShardId shard) {
  if (!members_->ground.store) return fail(Errc::closed, "the engine is stopped");
  auto& found = members_->shards[shard];
  if (!found) {
    const bool remains = std::ranges::count(members_->dropped, shard) > 0;
    found = std::make_unique<TableShard>(members_->ground, shard, StoredShard{},
                                         remains ? TableShard::InDatabase::yes : TableShard::InDatabase::no);
  }
  return found.get();
}

std::vector<ShardId> TableEngine::shards() const {
  std::vector<ShardId> ids;
  for (const auto& [id, shard] : members_->shards) ids.push_back(id);
  return ids;
}

// Gone at once for whoever reads, and for a new shard of this name; on disk when the table that says so is written.
Task<Result<>> TableEngine::drop(ShardId shard) {
  CO_TRYV(health());
  members_->shards.erase(shard);
  if (std::ranges::count(members_->dropped, shard) == 0) members_->dropped.push_back(shard);
  for (const Area area : {Area::first, Area::second}) {
    const Bytes start = area_prefix(shard, area);
    members_->ground.stack.erase_range(start, prefix_end(start));
  }
  CO_TRYV(co_await members_->make_durable());
  co_await members_->ground.blocking.run([store = members_->ground.store, shard] { suggest_compaction(*store, shard); });
  co_return health();
}

Task<Result<>> TableEngine::checkpoint() {
  CO_TRYV(health());
  co_return co_await members_->make_durable();
}

Result<> TableEngine::health() const { return members_->health(); }
bool TableEngine::has_room() const { return members_->ground.stack.has_room(); }

std::optional<Error> TableEngine::obstacle() const {
  if (members_->obstacle || !members_->ground.store) return members_->obstacle;
  return members_->ground.store->watch->obstacle();
}

void TableEngine::set_listener(EngineListener* listener) { members_->listener = listener; }

Task<Result<>> TableEngine::stop() {
  if (!members_->ground.store) co_return Result<>{};
  members_->stopping = true;
  Result<> written = co_await checkpoint();
  co_await members_->tasks.cancel_and_join();
  members_->shards.clear();
  co_await members_->ground.blocking.run([store = std::move(members_->ground.store)]() mutable { store.reset(); });
  co_return written;
}

TableFigures TableEngine::figures() const {
  const TableStack& stack = members_->ground.stack;
  return {.active_bytes = stack.active_bytes(),
          .frozen_tables = stack.frozen().size(),
          .frozen_bytes = stack.frozen_bytes(),
          .written_tables = stack.written_tables(),
          .written_bytes = stack.written_bytes(),
          .loaded_bytes = stack.loaded_bytes(),
          .ingests = members_->ingests,
          .ingested_bytes = members_->ingested_bytes,
          .failures = members_->failures,
          .last_ingest = members_->last_ingest,
          .has_room = stack.has_room()};
}

RocksDbFigures TableEngine::database_figures() const {
  return members_->ground.store ? figures_of(*members_->ground.store) : RocksDbFigures{};
}

}  // namespace skerry::store
