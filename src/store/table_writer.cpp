// SPDX-License-Identifier: Apache-2.0
#include "store/table_writer.hpp"

#include <fmt/format.h>
#include <rocksdb/file_system.h>
#include <rocksdb/sst_file_writer.h>

namespace skerry::store {
namespace {

std::string incoming_folder(const RocksDbStore& store) { return store.folder + "/incoming"; }

rocksdb::Slice slice(BytesView bytes) { return {bytes.data(), bytes.size()}; }

// Ranges that meet are one: within a file it no longer matters which deletion was newer. What they took is left out, and RocksDB
// lets a record that stands in the same file as a deletion outlive it.
rocksdb::Status write_ranges(const TableFragments& fragments, rocksdb::SstFileWriter& file) {
  for (auto at = fragments.begin(); at != fragments.end();) {
    const BytesView start = at->start;
    BytesView end = at->end;
    for (++at; at != fragments.end() && at->start == end; ++at) end = at->end;
    if (auto status = file.DeleteRange(slice(start), slice(end)); !status.ok()) return status;
  }
  return rocksdb::Status::OK();
}

rocksdb::Status write_records(const Table& table, WritingPace& pace, rocksdb::SstFileWriter& file) {
  const TableOrder& order = table.order();
  for (TableOrder::Place place = order.first(); place.valid(); place = order.next(place)) {
    const TableVersion* version = table.newest(*place.entry);
    if (version == nullptr) continue;
    const rocksdb::Slice key = slice(place.entry->key());
    const rocksdb::Status status = version->is_erased() ? file.Delete(key) : file.Put(key, slice(version->value()));
    if (!status.ok()) return status;
    pace.worked(key.size() + version->capacity);
  }
  return rocksdb::Status::OK();
}

rocksdb::Status write_file(RocksDbStore& store, TableJob& job, const std::string& path) {
  rocksdb::Options options = store.db->GetOptions();
  options.table_factory = top_file_layout(store);
  options.bottommost_compression = rocksdb::kDisableCompressionOption;   // it starts at the top
  rocksdb::SstFileWriter file(rocksdb::EnvOptions(options), options, nullptr, /*invalidate_page_cache=*/false);
  if (auto status = file.Open(path); !status.ok()) return status;
  if (auto status = write_ranges(job.table->fragments(), file); !status.ok()) return status;
  if (auto status = write_records(*job.table, job.pace, file); !status.ok()) return status;
  rocksdb::ExternalSstFileInfo info;
  const rocksdb::Status status = file.Finish(&info);   // synced
  job.file_bytes = info.file_size;
  return status;
}

// The database syncs the file under its new name, its folder and its own record of it before this returns.
rocksdb::Status take_in(RocksDbStore& store, const std::string& path) {
  rocksdb::IngestExternalFileOptions options;
  options.move_files = true;
  options.failed_move_fall_back_to_copy = true;
  options.snapshot_consistency = true;   // cursors go on seeing what was there at their creation
  options.write_global_seqno = false;
  return store.db->IngestExternalFile({path}, options);
}

// The first tables are taken in with sequence number 0. Compaction takes a snapshot of that number for none, and drops every
// record of number 0 as hidden by a newer one while such a snapshot is held (seen with 7.8.3). So no snapshot may ever get it:
// one write without a trace, behind the keys of all shards, moves the number on.
rocksdb::Status leave_sequence_zero(rocksdb::DB& db) {
  if (db.GetLatestSequenceNumber() > 0) return rocksdb::Status::OK();
  rocksdb::WriteOptions without_log;
  without_log.disableWAL = true;
  return db.Delete(without_log, "\xFF\xFF\xFF\xFF");
}

}   // namespace

Result<> prepare_for_tables(RocksDbStore& store) {
  if (auto status = leave_sequence_zero(*store.db); !status.ok()) return fail(rocksdb_error(store.folder, status));
  rocksdb::FileSystem& files = *store.db->GetFileSystem();
  const rocksdb::IOOptions io;
  const std::string folder = incoming_folder(store);
  if (auto status = files.CreateDirIfMissing(folder, io, nullptr); !status.ok()) return fail(rocksdb_error(folder, status));
  std::vector<std::string> names;
  if (auto status = files.GetChildren(folder, io, &names, nullptr); !status.ok()) return fail(rocksdb_error(folder, status));
  for (const std::string& name : names) {
    if (!name.ends_with(".sst")) continue;
    const std::string path = fmt::format("{}/{}", folder, name);
    if (auto status = files.DeleteFile(path, io, nullptr); !status.ok()) return fail(rocksdb_error(path, status));
  }
  return {};
}

void write_table(RocksDbStore& store, TableJob& job) {
  const std::string path = fmt::format("{}/{}.sst", incoming_folder(store), job.number);
  job.status = rocksdb::Status::OK();
  // Background work that met a full disk waits to be told to go on.
  if (store.watch->obstacle()) {
    store.watch->clear_obstacle();
    job.status = store.db->Resume();
    if (!job.status.ok()) store.watch->met(job.status);   // or nobody would try again
  }
  if (job.status.ok()) job.status = write_file(store, job, path);
  if (job.status.ok()) job.status = take_in(store, path);
  if (!job.status.ok()) {
    // What is left of it takes room on a disk that may be full. If even that fails, the next attempt writes over it.
    static_cast<void>(store.db->GetFileSystem()->DeleteFile(path, {}, nullptr));
    return;
  }
  for (const ShardId shard : job.measure) job.bytes.push_back(measure_shard(store, shard));
}

}   // namespace skerry::store
