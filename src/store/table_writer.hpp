// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <vector>

#include "store/rocksdb_store.hpp"
#include "store/table.hpp"
#include "store/writing_pace.hpp"

// How a frozen table gets into the database: as one sorted file, which the database then takes in whole, in one atomic and
// durable step. Everything here waits for the disk: helper threads only.
namespace skerry::store {

// Once after opening: makes the folder where files are written before they are taken in, and removes what a crash left there.
Result<> prepare_for_tables(RocksDbStore& store);

struct TableJob {
  std::shared_ptr<const Table> table;
  std::uint64_t number = 0;   // of the file
  std::vector<ShardId> measure;   // shards whose size is asked for
  WritingPace pace;
  rocksdb::Status status;   // ok: the database holds the table, whatever crashes next
  std::uint64_t file_bytes = 0;
  std::vector<std::uint64_t> bytes;   // of `measure`
};
void write_table(RocksDbStore& store, TableJob& job);

}   // namespace skerry::store
