// SPDX-License-Identifier: Apache-2.0
#include "store/rocksdb_cache.hpp"

namespace skerry::store {
namespace {

// Per thread because the cache is shared with RocksDB's own threads, and a lookup doesn't say who asks.
thread_local std::uint64_t misses = 0;

rocksdb::Cache::Handle* counted(rocksdb::Cache::Handle* found) {
  if (found == nullptr) ++misses;
  return found;
}

}  // namespace

std::uint64_t cache_misses_of_this_thread() { return misses; }

rocksdb::Cache::Handle* WatchedCache::Lookup(const rocksdb::Slice& key, rocksdb::Statistics* statistics) {
  return counted(cache_->Lookup(key, statistics));
}

rocksdb::Cache::Handle* WatchedCache::Lookup(const rocksdb::Slice& key, const CacheItemHelper* helper,
                                             const CreateCallback& create, Priority priority, bool wait,
                                             rocksdb::Statistics* statistics) {
  return counted(cache_->Lookup(key, helper, create, priority, wait, statistics));
}

}  // namespace skerry::store
