// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <rocksdb/cache.h>

namespace skerry::store {

// How often the calling thread has asked any watched cache for a block that was not there.
std::uint64_t cache_misses_of_this_thread();

// A block cache that lets a reader see whether its own read missed a block. RocksDB before 8.5.2 may lose the "incomplete" of
// one table on the way up through a merging iterator and skip that table's records without a word, so what an iterator says
// after a move that must not wait for the disk is believed only when no block was missing. Thread-safe.
class WatchedCache final : public rocksdb::Cache {
 public:
  explicit WatchedCache(std::shared_ptr<rocksdb::Cache> cache) : cache_(std::move(cache)) {}
  const char* Name() const override { return "WatchedCache"; }

  Handle* Lookup(const rocksdb::Slice& key, rocksdb::Statistics* statistics) override;
  Handle* Lookup(const rocksdb::Slice& key, const CacheItemHelper* helper, const CreateCallback& create, Priority priority,
                 bool wait, rocksdb::Statistics* statistics) override;

  rocksdb::Status Insert(const rocksdb::Slice& key, void* value, std::size_t charge, DeleterFn deleter, Handle** handle,
                         Priority priority) override {
    return cache_->Insert(key, value, charge, deleter, handle, priority);
  }
  rocksdb::Status Insert(const rocksdb::Slice& key, void* value, const CacheItemHelper* helper, std::size_t charge,
                         Handle** handle, Priority priority) override {
    return cache_->Insert(key, value, helper, charge, handle, priority);
  }
  bool Ref(Handle* handle) override { return cache_->Ref(handle); }
  bool Release(Handle* handle, bool erase_if_last) override { return cache_->Release(handle, erase_if_last); }
  bool Release(Handle* handle, bool useful, bool erase_if_last) override {
    return cache_->Release(handle, useful, erase_if_last);
  }
  void* Value(Handle* handle) override { return cache_->Value(handle); }
  void Erase(const rocksdb::Slice& key) override { cache_->Erase(key); }
  std::uint64_t NewId() override { return cache_->NewId(); }
  void SetCapacity(std::size_t capacity) override { cache_->SetCapacity(capacity); }
  void SetStrictCapacityLimit(bool strict) override { cache_->SetStrictCapacityLimit(strict); }
  bool HasStrictCapacityLimit() const override { return cache_->HasStrictCapacityLimit(); }
  std::size_t GetCapacity() const override { return cache_->GetCapacity(); }
  std::size_t GetUsage() const override { return cache_->GetUsage(); }
  std::size_t GetUsage(Handle* handle) const override { return cache_->GetUsage(handle); }
  std::size_t GetPinnedUsage() const override { return cache_->GetPinnedUsage(); }
  std::size_t GetCharge(Handle* handle) const override { return cache_->GetCharge(handle); }
  std::size_t GetOccupancyCount() const override { return cache_->GetOccupancyCount(); }
  std::size_t GetTableAddressCount() const override { return cache_->GetTableAddressCount(); }
  DeleterFn GetDeleter(Handle* handle) const override { return cache_->GetDeleter(handle); }
  void DisownData() override { cache_->DisownData(); }
  void ApplyToAllEntries(
      const std::function<void(const rocksdb::Slice& key, void* value, std::size_t charge, DeleterFn deleter)>& callback,
      const ApplyToAllEntriesOptions& options) override {
    cache_->ApplyToAllEntries(callback, options);
  }
  void EraseUnRefEntries() override { cache_->EraseUnRefEntries(); }
  std::string GetPrintableOptions() const override { return cache_->GetPrintableOptions(); }
  bool IsReady(Handle* handle) override { return cache_->IsReady(handle); }
  void Wait(Handle* handle) override { cache_->Wait(handle); }
  void WaitAll(std::vector<Handle*>& handles) override { cache_->WaitAll(handles); }

 private:
  const std::shared_ptr<rocksdb::Cache> cache_;
};

}  // namespace skerry::store
