// SPDX-License-Identifier: Apache-2.0
#include "store/rocksdb_watch.hpp"

#include "store/rocksdb_store.hpp"

namespace skerry::store {

void RocksDbWatch::OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo& info) {
  ++flushes;
  flushed_bytes += info.table_properties.data_size + info.table_properties.index_size + info.table_properties.filter_size;
}

void RocksDbWatch::OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo& info) {
  ++compactions;
  compaction_read_bytes += info.stats.total_input_bytes;
  compaction_written_bytes += info.stats.total_output_bytes;
}

void RocksDbWatch::OnStallConditionsChanged(const rocksdb::WriteStallInfo& info) {
  const bool now = info.condition.cur != rocksdb::WriteStallCondition::kNormal;
  if (now && !stalled.exchange(true)) ++stalls;
  if (!now) stalled = false;
}

void RocksDbWatch::OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) { met(*status); }

void RocksDbWatch::met(const rocksdb::Status& status) {
  if (!status.IsNoSpace() || full_disk_ == FullDisk::fatal) return failed(status);
  const std::lock_guard lock(mutex_);
  obstacle_ = rocksdb_error(folder_, status);
  obstructed_ = true;
}

void RocksDbWatch::failed(const rocksdb::Status& status) {
  const std::lock_guard lock(mutex_);
  if (error_) return;
  error_ = rocksdb_error(folder_, status);
  failed_ = true;
}

Result<> RocksDbWatch::health() const {
  if (!failed_) return {};
  const std::lock_guard lock(mutex_);
  return fail(*error_);
}

std::optional<Error> RocksDbWatch::obstacle() const {
  if (!obstructed_) return std::nullopt;
  const std::lock_guard lock(mutex_);
  return obstacle_;
}

void RocksDbWatch::clear_obstacle() {
  const std::lock_guard lock(mutex_);
  obstacle_.reset();
  obstructed_ = false;
}

}  // namespace skerry::store
