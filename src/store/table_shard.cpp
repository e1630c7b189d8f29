// SPDX-License-Identifier: Apache-2.0
#include "store/table_shard.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "store/rocksdb_cache.hpp"
#include "store/rocksdb_cursor.hpp"
#include "store/rocksdb_files.hpp"
#include "store/table_cursor.hpp"

namespace skerry::store {
namespace {

constexpr std::size_t kept_bytes_max = 64 << 10;   // of what is kept for its room

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

TableShard::TableShard(TableGround& ground, ShardId id, const StoredShard& stored, InDatabase in_database)
    : ground_(ground), applied_(stored.applied), durable_(stored.applied), id_(id), made_at_(ground.stack.frozen_number()),
      in_database_(in_database == InDatabase::yes), area_(stored.area), other_used_(stored.other_used), staged_(stored.staged) {
  set_prefixes();
  if (other_used_ && !staged_) stage_anew();
}

void TableShard::set_prefixes() {
  for (std::size_t space = 0; space < prefixes_.size(); ++space) prefixes_[space] = key_prefix(id_, Space(space), area_);
}

void TableShard::set_key(Space space, BytesView key) {
  key_.assign(prefixes_[static_cast<std::size_t>(space)]);
  key_.append(key);
}

Lookup TableShard::try_get(Space space, BytesView key, Bytes& value) {
  BytesView found;
  const Lookup lookup = find(space, key, found);
  if (lookup == Lookup::value) value.assign(found);
  return lookup;
}

Lookup TableShard::find(Space space, BytesView key, BytesView& value) {
  set_key(space, key);
  switch (ground_.stack.find(key_, value)) {
    case Table::Found::value: return Lookup::value;
    case Table::Found::erased: return Lookup::absent;
    case Table::Found::nothing: break;
  }
  return in_database_ ? get_stored(value) : Lookup::absent;
}

void TableShard::expect(Space space, std::span<const BytesView> keys) {
  std::array<std::uint32_t, Table::expected_max> hashes;
  for (; !keys.empty(); keys = keys.subspan(std::min(keys.size(), hashes.size()))) {
    std::size_t count = 0;
    for (const BytesView key : keys.first(std::min(keys.size(), hashes.size()))) {
      set_key(space, key);
      hashes[count++] = table_hash(key_);
    }
    ground_.stack.expect(std::span(hashes).first(count));
  }
}

rocksdb::Status TableShard::get(const rocksdb::ReadOptions& options) {
  value_.Reset();
  return ground_.store->db->Get(options, ground_.store->db->DefaultColumnFamily(), key_, &value_);
}

rocksdb::Status TableShard::get_without_waiting(const rocksdb::ReadOptions& options) {
  const ReadingWithoutWaiting scope;
  return get(options);
}

Lookup TableShard::get_stored(BytesView& value) {
  RocksDbStore& store = *ground_.store;
  const std::uint64_t misses = cache_misses_of_this_thread();
  rocksdb::ReadOptions options;
  // Looking into files takes microseconds: of a long row of keys a helper takes the rest.
  if (ground_.core.yield_due() && !loaded_->contains(key_)) options.read_tier = rocksdb::kBlockCacheTier;
  rocksdb::Status status = get_without_waiting(options);
  if (status.IsTryAgain() || status.IsIncomplete()) {
    if (!loaded_->contains(key_)) return ++store.cold_reads, Lookup::cold;
    ++store.waiting_reads;
    status = get({});
  }
  if (status.ok()) {
    if (stored_.capacity() > kept_bytes_max) stored_ = Bytes();
    stored_.assign(value_.data(), value_.size());
    value_.Reset();   // what it borrowed from the cache should not be held
    value = stored_;
  }
  if ((status.ok() || status.IsNotFound()) && cache_misses_of_this_thread() != misses) {
    ground_.stack.keep_loaded(ground_.stack.loads_number(), key_, status.ok() ? std::optional(value) : std::nullopt);
    ground_.on_loaded();
  }
  if (status.ok()) return Lookup::value;
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
  if (in_database_) base = std::make_unique<RocksDbCursor>(ground_.store, ground_.blocking, loaded_, prefix);
  if (walks.empty() && base) return base;
  return std::make_unique<TableCursor>(prefix, std::move(walks), std::move(base), loaded_);
}

void TableShard::apply(std::span<const Write> writes, Offset offset) {
  for (; !writes.empty(); writes = writes.subspan(std::min(writes.size(), Table::expected_max))) {
    apply_some(writes.first(std::min(writes.size(), Table::expected_max)));
  }
  applied_ = offset;
  changed_ = true;
  ground_.on_applied();
}

void TableShard::apply_some(std::span<const Write> writes) {
  constexpr std::size_t worth_expecting = 4;
  std::array<std::uint32_t, Table::expected_max> hashes, expected;
  std::array<std::size_t, Table::expected_max> ends;
  keys_.clear();
  for (std::size_t i = 0, start = 0; i < writes.size(); start = ends[i++]) {
    keys_.append(prefixes_[static_cast<std::size_t>(writes[i].space)]).append(writes[i].key);
    ends[i] = keys_.size();
    expected[i] = hashes[i] = table_hash(BytesView(keys_).substr(start));
  }
  if (writes.size() >= worth_expecting) ground_.stack.expect_writes(std::span(expected).first(writes.size()));
  for (std::size_t i = 0, start = 0; i < writes.size(); start = ends[i++]) {
    const Write& write = writes[i];
    const BytesView key = BytesView(keys_).substr(start, ends[i] - start);
    applied_bytes_ += key.size() + write.value.size();
    switch (write.kind) {
      case Write::Kind::put: ground_.stack.put(key, hashes[i], write.value); break;
      case Write::Kind::erase: ground_.stack.erase(key, hashes[i]); break;
      case Write::Kind::erase_range:
        end_.assign(prefixes_[static_cast<std::size_t>(write.space)]).append(write.value);
        ground_.stack.erase_range(key, end_);
        break;
    }
  }
}

void TableShard::written(Offset offset) {
  durable_ = std::max(durable_, offset);
  in_database_ = true;
}

void TableShard::freeze_offset() {
  ground_.stack.put(prefixes_[static_cast<std::size_t>(engine_space)], applied_value(applied_));
  changed_ = false;
}

// --- another state

void TableShard::erase_area(Area area) {
  const Bytes start = area_prefix(id_, area);
  ground_.stack.erase_range(start, prefix_end(start));
}

void TableShard::put_staged(std::optional<Offset> whole) {
  ground_.stack.put(key_prefix(id_, engine_space, other(area_)), staged_value(whole));
}

void TableShard::stage_anew() {
  ++stagings_;
  staged_.reset();
  if (!std::exchange(other_used_, false)) return;
  erase_area(other(area_));
  ground_.on_applied();
}

void TableShard::stage(std::span<const Write> writes) {
  SKERRY_ASSERT(!staged_);
  if (!std::exchange(other_used_, true)) put_staged(std::nullopt);
  for (const Write& write : writes) {
    key_.assign(key_prefix(id_, write.space, other(area_))).append(write.key);
    if (write.kind == Write::Kind::put) ground_.stack.put(key_, write.value);
    else ground_.stack.erase(key_);
  }
  ground_.on_applied();
}

Task<Result<>> TableShard::finish_staging(Offset offset) {
  const std::uint64_t staging = stagings_;
  other_used_ = true;
  put_staged(offset);
  CO_TRYV(co_await ground_.make_durable());
  if (staging != stagings_) co_return fail(Errc::aborted, "another state is being staged");
  staged_ = offset;
  co_return Result<>{};
}

// The erased area and the offset of the other, which is put when the table is frozen, are in one table: they become durable as
// one.
void TableShard::take_staged() {
  SKERRY_ASSERT(staged_);
  applied_ = *std::exchange(staged_, std::nullopt);
  other_used_ = false;
  erase_area(area_);
  area_ = other(area_);
  set_prefixes();
  in_database_ = true;
  changed_ = true;
  ground_.on_applied();
}

void TableShard::measured(std::uint64_t bytes) {
  measured_bytes_ = bytes;
  applied_bytes_ = 0;
}

}   // namespace skerry::store
