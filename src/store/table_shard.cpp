// SPDX-License-Identifier: Apache-2.0
#include "store/table_shard.hpp"

#include <algorithm>

#include "store/rocksdb_cursor.hpp"
#include "store/table_cursor.hpp"

namespace skerry::store {
namespace {

struct LoadJob {
  std::vector<Bytes> keys;   // with their prefix, in order
  std::size_t kept_bytes_max = 0;
  std::vector<std::pair<std::size_t, std::optional<Bytes>>> found;   // by place in `keys`
  rocksdb::Status status;
};

// Brings the blocks into the cache, and the records home as long as they fit: blocks may be evicted before they are asked for.
void read_all(RocksDbStore& store, LoadJob& job) {
  rocksdb::PinnableSlice value;
  std::size_t kept_bytes = 0;
  for (std::size_t i = 0; i < job.keys.size(); ++i) {
    job.status = store.db->Get({}, store.db->DefaultColumnFamily(), job.keys[i], &value);
    if (!job.status.ok() && !job.status.IsNotFound()) return;
    kept_bytes += job.keys[i].size() + value.size();
    if (kept_bytes <= job.kept_bytes_max) {
      job.found.emplace_back(i, job.status.ok() ? std::optional(value.ToString()) : std::nullopt);
    }
    value.Reset();
  }
  job.status = rocksdb::Status::OK();
}

}  // namespace

TableShard::TableShard(TableGround& ground, ShardId id, Offset durable, Stored stored)
    : ground_(ground), applied_(durable), durable_(durable), id_(id), made_at_(ground.stack.frozen_number()),
      stored_(stored == Stored::yes) {
  for (std::size_t space = 0; space < prefixes_.size(); ++space) prefixes_[space] = key_prefix(id_, Space(space));
}

void TableShard::set_key(Space space, BytesView key) {
  key_.assign(prefixes_[static_cast<std::size_t>(space)]);
  key_.append(key);
}

Lookup TableShard::try_get(Space space, BytesView key, Bytes& value) {
  set_key(space, key);
  BytesView found;
  switch (ground_.stack.find(key_, found)) {
    case Table::Found::value: value.assign(found); return Lookup::value;
    case Table::Found::erased: return Lookup::absent;
    case Table::Found::nothing: break;
  }
  return stored_ ? get_stored(value) : Lookup::absent;
}

rocksdb::Status TableShard::get(const rocksdb::ReadOptions& options) {
  value_.Reset();
  return ground_.store->db->Get(options, ground_.store->db->DefaultColumnFamily(), key_, &value_);
}

Lookup TableShard::get_stored(Bytes& value) {
  RocksDbStore& store = *ground_.store;
  rocksdb::ReadOptions in_memory;
  in_memory.read_tier = rocksdb::kBlockCacheTier;
  rocksdb::Status status = get(in_memory);
  if (status.IsIncomplete()) {
    if (!loaded_->contains(key_)) return ++store.cold_reads, Lookup::cold;
    ++store.waiting_reads;
    status = get({});
  }
  if (status.ok()) {
    value.assign(value_.data(), value_.size());
    value_.Reset();
    return Lookup::value;
  }
  if (status.IsNotFound()) return Lookup::absent;
  store.watch->failed(status);
  return Lookup::cold;   // load() tells why
}

Task<Result<>> TableShard::load(Space space, std::vector<Bytes> keys) {
  const auto job = std::make_shared<LoadJob>();
  for (Bytes& key : keys) key.insert(0, prefixes_[static_cast<std::size_t>(space)]);
  job->keys = std::move(keys);
  std::ranges::sort(job->keys);   // neighbours share blocks
  job->kept_bytes_max = ground_.stack.loaded_bytes_max() / 2;
  const std::shared_ptr<RocksDbStore> store = ground_.store;
  const std::uint64_t loads_number = ground_.stack.loads_number();
  co_await ground_.blocking.run([store, job] { read_all(*store, *job); });
  if (!job->status.ok()) {
    store->watch->failed(job->status);
    co_return fail(rocksdb_error(store->folder, job->status));
  }
  for (const auto& [place, value] : job->found) ground_.stack.keep_loaded(loads_number, job->keys[place], value);
  ground_.on_loaded();
  loaded_->add(std::move(job->keys));
  co_return Result<>{};
}

std::unique_ptr<Cursor> TableShard::cursor(Space space) {
  const Bytes& prefix = prefixes_[static_cast<std::size_t>(space)];
  std::vector<std::unique_ptr<Table::Walk>> walks = ground_.stack.walks();
  std::unique_ptr<Cursor> base;
  if (stored_) base = std::make_unique<RocksDbCursor>(ground_.store, ground_.blocking, loaded_, prefix);
  if (walks.empty() && base) return base;
  return std::make_unique<TableCursor>(prefix, std::move(walks), std::move(base), loaded_);
}

void TableShard::apply(std::span<const Write> writes, Offset offset) {
  for (const Write& write : writes) {
    set_key(write.space, write.key);
    applied_bytes_ += key_.size() + write.value.size();
    switch (write.kind) {
      case Write::Kind::put: ground_.stack.put(key_, write.value); break;
      case Write::Kind::erase: ground_.stack.erase(key_); break;
      case Write::Kind::erase_range:
        end_.assign(prefixes_[static_cast<std::size_t>(write.space)]).append(write.value);
        ground_.stack.erase_range(key_, end_);
        break;
    }
  }
  applied_ = offset;
  changed_ = true;
  ground_.on_applied();
}

void TableShard::written(Offset offset) {
  durable_ = std::max(durable_, offset);
  stored_ = true;
}

void TableShard::measured(std::uint64_t bytes) {
  measured_bytes_ = bytes;
  applied_bytes_ = 0;
}

}  // namespace skerry::store
