// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <rocksdb/listener.h>

#include <atomic>
#include <mutex>
#include <optional>

#include "base/result.hpp"

namespace skerry::store {

// Hears from RocksDB's background threads what they do and when they fail. Thread-safe: written there, read on the core.
class RocksDbWatch final : public rocksdb::EventListener {
 public:
  // What a full disk means: fatal where memory holds what only RocksDB can write, an obstacle where it can be asked again.
  enum class FullDisk : std::uint8_t { fatal, passes };
  RocksDbWatch(std::string folder, FullDisk full_disk) : folder_(std::move(folder)), full_disk_(full_disk) {}

  void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo& info) override;
  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo& info) override;
  void OnStallConditionsChanged(const rocksdb::WriteStallInfo& info) override;
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* status) override;
  // A database that has failed once is not to be trusted again before it is reopened and the log replayed.
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* auto_recovery) override {
    *auto_recovery = false;
  }

  // What background work met: a full disk is an obstacle, anything else a failure.
  void met(const rocksdb::Status& status);
  // Remembers the first failure for good.
  void failed(const rocksdb::Status& status);
  Result<> health() const;
  // Set by background work that found the disk full, until cleared.
  std::optional<Error> obstacle() const;
  void clear_obstacle();

  std::atomic<std::uint64_t> flushes = 0, flushed_bytes = 0;
  std::atomic<std::uint64_t> compactions = 0, compaction_read_bytes = 0, compaction_written_bytes = 0;
  std::atomic<std::uint64_t> stalls = 0;
  std::atomic<bool> stalled = false;

 private:
  const std::string folder_;
  const FullDisk full_disk_;
  std::atomic<bool> failed_ = false, obstructed_ = false;
  mutable std::mutex mutex_;          // held for a moment, when something went wrong
  std::optional<Error> error_, obstacle_;
};

}  // namespace skerry::store
