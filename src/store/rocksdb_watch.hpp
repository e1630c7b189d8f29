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
  explicit RocksDbWatch(std::string folder) : folder_(std::move(folder)) {}

  void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo& info) override;
  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo& info) override;
  void OnStallConditionsChanged(const rocksdb::WriteStallInfo& info) override;
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* status) override;
  // A database that has failed once is not to be trusted again before it is reopened and the log replayed.
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* auto_recovery) override {
    *auto_recovery = false;
  }

  // Remembers the first failure for good.
  void failed(const rocksdb::Status& status);
  Result<> health() const;

  std::atomic<std::uint64_t> flushes = 0, flushed_bytes = 0;
  std::atomic<std::uint64_t> compactions = 0, compaction_read_bytes = 0, compaction_written_bytes = 0;
  std::atomic<std::uint64_t> stalls = 0;
  std::atomic<bool> stalled = false;

 private:
  const std::string folder_;
  std::atomic<bool> failed_ = false;
  mutable std::mutex mutex_;          // held for a moment, once in a lifetime
  std::optional<Error> error_;
};

}  // namespace skerry::store
