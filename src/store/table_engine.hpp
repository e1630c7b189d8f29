// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "base/time.hpp"
#include "store/rocksdb_engine.hpp"

namespace skerry::store {

struct TableEngineOptions {
  // One budget for all: tables, and what they leave for the database's blocks. It stands for the database's own.
  std::uint64_t cache_bytes = 256ULL << 20;
  RocksDbOptions database = {};
  // So much of the log may have to be replayed at a start before a table is written.
  std::uint64_t replay_bytes_max = 128ULL << 20;
  // Where tables are written; null: a thread of the engine's own, on the database's background processors.
  Blocking* writer = nullptr;
};

// What metrics show. Counted since open.
struct TableFigures {
  std::uint64_t active_bytes = 0;                        // takes writes
  std::uint64_t frozen_tables = 0, frozen_bytes = 0;     // on their way to disk
  std::uint64_t written_tables = 0, written_bytes = 0;   // on disk, kept as a cache
  std::uint64_t loaded_bytes = 0;                        // records read from disk, kept as a cache
  std::uint64_t ingests = 0, ingested_bytes = 0;         // tables taken in by the database
  std::uint64_t failures = 0;                            // attempts to write one that will be repeated
  WallTime last_ingest{};
  bool has_room = true;
};

// The engine that serves: a table owned by the core takes writes and answers for what was written lately, one RocksDB for all
// shards of the node keeps the rest. No write of a shard enters RocksDB on the core: a table that is full is frozen, written as
// one sorted file by a thread of its own, and taken in by RocksDB in one atomic step together with the offsets that it stands
// for; meanwhile, and afterwards as long as memory allows, it goes on answering reads (table_stack.hpp, docs/adr/0011). Tables
// are written strictly one after another, so what a crash leaves is a state that there was. apply() must be given only what the
// node's log has synced. Reads on the core look at memory only, the system's page cache included (docs/adr/0019); load() goes
// through `blocking`. A disk that is full is an obstacle: it goes on trying, and has_room() ends when memory is full. Any other
// failure of the disk is for good: health().
// The same folders and keys as RocksDbEngine's. Lives on its node's core. Drop all cursors before stop(); destroying it without
// stop() loses what was not checkpointed.
class TableEngine final : public Engine {
 public:
  // Refuses what RocksDbEngine::open refuses. `blocking` must outlive the engine, and the core its destruction.
  static Task<Result<std::unique_ptr<TableEngine>>> open(Blocking& blocking, std::string folder, TableEngineOptions options);
  ~TableEngine() override;

  Result<ShardEngine*> shard(ShardId shard) override;
  std::vector<ShardId> shards() const override;
  Task<Result<>> drop(ShardId shard) override;
  // Fails when the disk is full, after one more attempt; it need not be asked again, the engine goes on trying by itself.
  Task<Result<>> checkpoint() override;
  Result<> health() const override;
  bool has_room() const override;
  std::optional<Error> obstacle() const override;
  void set_listener(EngineListener* listener) override;
  Task<Result<>> stop() override;

  TableFigures figures() const;
  RocksDbFigures database_figures() const;

 private:
  struct Members;
  explicit TableEngine(std::unique_ptr<Members> members);
  std::unique_ptr<Members> members_;
};

}   // namespace skerry::store
