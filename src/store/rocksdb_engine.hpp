// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "store/engine.hpp"

namespace rocksdb {
class Env;
}
namespace skerry {
class Blocking;
}

namespace skerry::store {

struct RocksDbOptions {
  // One budget for everything RocksDB keeps in memory: blocks, indexes, filters, and up to half of it what is not yet flushed.
  std::uint64_t cache_bytes = 256ULL << 20;
  // Threads of the whole process that flush and compact.
  int background_threads = 2;
  // Where they may run, to themselves as far as cores go. Empty: on every processor, whatever thread opened the engine was pinned
  // to; compaction then has the system's lowest priority, so that a core hardly feels it.
  std::vector<unsigned> background_cpus;
  // Whether RocksDB itself takes writes into memory. Unused: it gets whole files (TableEngine), its memory holds only blocks, and
  // a full disk is an obstacle that passes.
  enum class Memtables : std::uint8_t { used, unused } memtables = Memtables::used;
  // For tests: the engine's files and clock, instead of the machine's.
  std::shared_ptr<rocksdb::Env> env;
};

// What metrics show. Counted since open.
struct RocksDbFigures {
  std::uint64_t cache_hits = 0, cache_misses = 0;
  std::uint64_t cache_bytes_used = 0, cache_bytes_max = 0;   // memtables included
  std::uint64_t memtable_bytes = 0;
  std::uint64_t table_bytes = 0;
  std::uint64_t flushes = 0, flushed_bytes = 0;
  std::uint64_t compactions = 0, compaction_read_bytes = 0, compaction_written_bytes = 0, compaction_pending_bytes = 0;
  std::uint64_t stalls = 0;   // times that writes began to be slowed down or stopped
  bool stalled = false;   // now: the host should take no more writes
  std::uint64_t cold_reads = 0;   // reads that had to be loaded
  std::uint64_t waiting_reads = 0;   // reads that waited for the disk on the core: loaded, and evicted again at once
};

// The engine over one RocksDB for all shards of the node. RocksDB's own log is off: the node's log is the log. A shard's
// tables and its applied offset are in one column family and change in one write batch, so that one flush makes both durable.
// RocksDB flushes by itself when its memory is full, so apply() must be given only what the node's own log has synced.
// Reads on the core look at memory only; load() and the checkpoint run through `blocking`. A failing disk shows in health();
// apply() itself never fails. Format of a key: shard and area (4 bytes, big endian), space (1 byte; 0 is the engine's own), key.
// Lives on its node's core. Drop all cursors before stop(); destroying it without stop() loses what was not checkpointed.
class RocksDbEngine final : public Engine {
 public:
  // Makes the folder when it isn't there. Refuses, with the reason and what to do: a folder written by another format, a damaged
  // one, one that another process holds. `blocking` must outlive the engine.
  static Task<Result<std::unique_ptr<RocksDbEngine>>> open(Blocking& blocking, std::string folder, RocksDbOptions options);
  ~RocksDbEngine() override;

  Result<ShardEngine*> shard(ShardId shard) override;
  std::vector<ShardId> shards() const override;
  Task<Result<>> drop(ShardId shard) override;
  Task<Result<>> checkpoint() override;
  Result<> health() const override;
  Task<Result<>> stop() override;

  RocksDbFigures figures() const;

 private:
  struct Members;
  explicit RocksDbEngine(std::unique_ptr<Members> members);
  std::unique_ptr<Members> members_;
};

}   // namespace skerry::store
