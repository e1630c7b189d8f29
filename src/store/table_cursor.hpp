// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <vector>

#include "store/engine.hpp"
#include "store/rocksdb_recent.hpp"
#include "store/table.hpp"

namespace skerry::store {

// Walks one space of a shard through the tables that are not in the database yet, the newest first, and the database below
// them. Where several have a key the newest counts. A walk over much that is erased pauses (it says cold, and load() lets
// others run), so that it can't hold up the core.
class TableCursor final : public Cursor {
 public:
  // `prefix` is that of the space's keys in tables. `base` walks the database; null: it has nothing of the shard.
  TableCursor(Bytes prefix, std::vector<std::unique_ptr<Table::Walk>> walks, std::unique_ptr<Cursor> base,
              std::shared_ptr<RecentLoads> recent);
  void seek(BytesView key) override;
  void seek_below(BytesView key) override;
  void seek_last() override;
  void next() override { step(true); }
  void previous() override { step(false); }
  State state() const override { return state_; }
  Task<Result<>> load() override;
  BytesView key() const override { return key_; }
  BytesView value() const override { return chosen_ < walks_.size() ? walks_[chosen_]->value() : base_->value(); }
  Error error() const override { return base_->error(); }

 private:
  // Layers by number: the walks, then the base.
  using Layers = std::uint64_t;
  static constexpr std::size_t nothing = ~std::size_t{0};
  static Layers only(std::size_t layer) { return Layers{1} << layer; }

  void step(bool forward);
  void turn();
  void settle();
  bool choose();
  void consider(std::size_t layer, BytesView key);
  bool chosen_is_there();
  void pass();
  void jump_in_base();
  bool pause();
  void move(Layers layers);
  bool base_stands() const { return base_ && !base_done_ && base_->state() == State::record; }
  BytesView whole_key();

  const Bytes prefix_;
  std::vector<std::unique_ptr<Table::Walk>> walks_;
  const std::unique_ptr<Cursor> base_;
  const std::shared_ptr<RecentLoads> recent_;
  const bool fragments_;                      // some walk has any

  bool forward_ = true;
  State state_ = State::end;
  Layers here_ = 0;                           // those that stand at key_
  std::size_t chosen_ = nothing;              // of them, the newest that says something
  BytesView key_;
  const TableFragment* taken_by_ = nullptr;   // what erased it
  bool base_done_ = false;                    // the rest of the base is erased
  std::size_t skipped_ = 0;                   // erased keys, since the last move
  bool paused_ = false;
  Bytes pause_name_, scratch_;
};

}  // namespace skerry::store
