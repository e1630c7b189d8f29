// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <functional>

#include "runtime/blocking.hpp"
#include "runtime/core.hpp"
#include "store/rocksdb_recent.hpp"
#include "store/rocksdb_store.hpp"
#include "store/table_stack.hpp"

namespace skerry::store {

// What the shards of a TableEngine share with it.
struct TableGround {
  Core& core;
  std::shared_ptr<RocksDbStore> store;
  Blocking& blocking;
  TableStack stack;
  std::function<void()> on_applied;   // something was written
  std::function<void()> on_loaded;    // records came in from the database
  std::function<Task<Result<>>()> make_durable;   // all that was written so far
};

// One shard's state in its node's tables and database. Owned by the engine.
class TableShard final : public ShardEngine {
 public:
  // `in_database`: whether that may have anything of it.
  enum class InDatabase : bool { no, yes };
  TableShard(TableGround& ground, ShardId id, const StoredShard& stored, InDatabase in_database);

  Lookup try_get(Space space, BytesView key, Bytes& value) override;
  Lookup find(Space space, BytesView key, BytesView& value) override;
  void expect(Space space, std::span<const BytesView> keys) override;
  Task<Result<>> load(Space space, std::vector<Bytes> keys) override;
  std::unique_ptr<Cursor> cursor(Space space) override;
  void apply(std::span<const Write> writes, Offset offset) override;
  Offset applied() const override { return applied_; }
  Offset durable() const override { return durable_; }
  std::uint64_t approximate_bytes() const override { return measured_bytes_ + applied_bytes_; }
  void stage_anew() override;
  void stage(std::span<const Write> writes) override;
  Task<Result<>> finish_staging(Offset offset) override;
  std::optional<Offset> staged() const override { return staged_; }
  void take_staged() override;

  // For the engine. Whether it stands for more than the newest frozen table says; that is then frozen too.
  bool changed() const { return changed_; }
  // A table frozen before it was made speaks of another shard of its name.
  bool is_in(std::uint64_t table_number) const { return table_number > made_at_; }
  void freeze_offset();   // into the active table, which is frozen next
  void written(Offset offset);
  void measured(std::uint64_t bytes);

 private:
  void set_prefixes();
  void erase_area(Area area);
  void put_staged(std::optional<Offset> whole);
  void set_key(Space space, BytesView key);
  rocksdb::Status get(const rocksdb::ReadOptions& options);
  rocksdb::Status get_without_waiting(const rocksdb::ReadOptions& options);
  Lookup get_stored(BytesView& value);
  void apply_some(std::span<const Write> writes);

  TableGround& ground_;
  Offset applied_, durable_;
  const ShardId id_;
  const std::uint64_t made_at_;
  bool in_database_, changed_ = false;
  Area area_;   // that serves
  bool other_used_;
  std::optional<Offset> staged_;
  std::uint64_t stagings_ = 0;
  std::array<Bytes, space_count> prefixes_;   // of the area that serves
  const std::shared_ptr<RecentLoads> loaded_ = std::make_shared<RecentLoads>();
  std::uint64_t measured_bytes_ = 0, applied_bytes_ = 0;
  Bytes key_, keys_, end_, stored_;   // kept for their memory, as the next
  rocksdb::PinnableSlice value_;
};

}  // namespace skerry::store
