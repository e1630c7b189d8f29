// SPDX-License-Identifier: Apache-2.0
#include "store/table_cursor.hpp"

#include <algorithm>
#include <bit>

#include "base/assert.hpp"
#include "runtime/core.hpp"
#include "store/rocksdb_store.hpp"

namespace skerry::store {
namespace {

// About a millisecond's worth.
constexpr std::size_t skipped_max = 8192;
// Erased records of the database passed one by one before the rest of the deleted range is jumped over: a jump costs as much.
constexpr std::size_t skipped_before_jump = 8;

}  // namespace

TableCursor::TableCursor(Bytes prefix, std::vector<std::unique_ptr<Table::Walk>> walks, std::unique_ptr<Cursor> base,
                         std::shared_ptr<RecentLoads> recent)
    : prefix_(std::move(prefix)), walks_(std::move(walks)), base_(std::move(base)), recent_(std::move(recent)),
      fragments_(std::ranges::any_of(walks_, [](const auto& walk) { return walk->has_fragments(); })) {
  SKERRY_ASSERT(walks_.size() < sizeof(Layers) * 8);
}

void TableCursor::seek(BytesView key) {
  forward_ = true;
  scratch_.assign(prefix_).append(key);
  for (const auto& walk : walks_) walk->seek(scratch_);
  if (base_) base_->seek(key);
  base_done_ = false;
  skipped_ = 0;
  settle();
}

void TableCursor::seek_below(BytesView key) {
  forward_ = false;
  scratch_.assign(prefix_).append(key);
  for (const auto& walk : walks_) walk->seek_below(scratch_);
  if (base_) base_->seek_below(key);
  base_done_ = false;
  skipped_ = 0;
  settle();
}

void TableCursor::seek_last() {
  forward_ = false;
  const Bytes end = prefix_end(prefix_);
  for (const auto& walk : walks_) walk->seek_below(end);
  if (base_) base_->seek_last();
  base_done_ = false;
  skipped_ = 0;
  settle();
}

void TableCursor::step(bool forward) {
  if (forward != forward_) {
    forward_ = forward;
    turn();
  } else {
    move(here_);
  }
  skipped_ = 0;
  settle();
}

// The layers that are not here stand on the other side.
void TableCursor::turn() {
  const Bytes at(key_);
  scratch_.assign(prefix_).append(at);
  for (std::size_t i = 0; i < walks_.size(); ++i) {
    if ((here_ & only(i)) == 0) forward_ ? walks_[i]->seek(scratch_) : walks_[i]->seek_below(scratch_);
  }
  const bool base_is_here = (here_ & only(walks_.size())) != 0;
  move(here_);
  if (!base_ || base_is_here) return;
  base_done_ = false;
  forward_ ? base_->seek(at) : base_->seek_below(at);
}

void TableCursor::move(Layers layers) {
  for (; layers != 0; layers &= layers - 1) {
    const auto layer = static_cast<std::size_t>(std::countr_zero(layers));
    if (layer == walks_.size()) {
      forward_ ? base_->next() : base_->previous();
    } else {
      forward_ ? walks_[layer]->next() : walks_[layer]->previous();
    }
  }
}

// Goes on to the next record that is there, from wherever the layers stand.
void TableCursor::settle() {
  for (;;) {
    if (base_ && !base_done_ && (base_->state() == State::cold || base_->state() == State::failed)) {
      state_ = base_->state();
      return;
    }
    if (!choose()) {
      state_ = State::end;
      return;
    }
    if (chosen_is_there()) {
      state_ = State::record;
      return;
    }
    if (pause()) return;
    pass();
  }
}

// Finds the next key of any layer, and the newest layer that has something to say about it.
bool TableCursor::choose() {
  here_ = 0;
  chosen_ = nothing;
  for (std::size_t i = 0; i < walks_.size(); ++i) {
    const Table::Walk& walk = *walks_[i];
    if (!walk.valid()) continue;
    const BytesView key = walk.key();
    if (key.starts_with(prefix_)) consider(i, key.substr(prefix_.size()));
  }
  if (base_stands()) consider(walks_.size(), base_->key());
  return here_ != 0;
}

void TableCursor::consider(std::size_t layer, BytesView key) {
  if (here_ != 0) {
    const int order = key.compare(key_);
    if (forward_ ? order > 0 : order < 0) return;
    if (order != 0) here_ = 0;
  }
  if (here_ == 0) {
    key_ = key;
    chosen_ = nothing;
  }
  here_ |= only(layer);
  const bool says = layer == walks_.size() || walks_[layer]->sight() != Table::Walk::Sight::nothing;
  if (chosen_ == nothing && says) chosen_ = layer;
}

BytesView TableCursor::whole_key() {
  if (chosen_ < walks_.size()) return walks_[chosen_]->key();
  return scratch_.assign(prefix_).append(key_);
}

bool TableCursor::chosen_is_there() {
  taken_by_ = nullptr;
  if (chosen_ == nothing) return false;
  if (chosen_ < walks_.size() && walks_[chosen_]->sight() == Table::Walk::Sight::erased) return false;
  if (!fragments_) return true;
  const BytesView whole = whole_key();
  for (std::size_t newer = 0; newer < std::min(chosen_, walks_.size()); ++newer) {
    taken_by_ = walks_[newer]->covering(whole);
    if (taken_by_ != nullptr) return false;
  }
  return true;
}

void TableCursor::pass() {
  if (chosen_ == walks_.size() && taken_by_ != nullptr && skipped_ > skipped_before_jump) return jump_in_base();
  move(here_);
}

// Everything around is erased by one range deletion: to its other side. Only the base stands here that says anything.
void TableCursor::jump_in_base() {
  move(here_ & ~only(walks_.size()));
  const BytesView to = forward_ ? taken_by_->end : taken_by_->start;
  if (!to.starts_with(prefix_)) {
    base_done_ = true;   // it reaches beyond the space
  } else {
    forward_ ? base_->seek(to.substr(prefix_.size())) : base_->seek_below(to.substr(prefix_.size()));
  }
}

// A get starts from the beginning when its keys were loaded, so the second time it must not pause at the same place.
bool TableCursor::pause() {
  if (++skipped_ == 1) pause_name_.assign(1, forward_ ? '>' : '<').append(prefix_).append(key_);
  if (skipped_ < skipped_max || recent_->contains(pause_name_)) return false;
  paused_ = true;
  state_ = State::cold;
  return true;
}

Task<Result<>> TableCursor::load() {
  while (state_ == State::cold) {
    if (paused_) {
      paused_ = false;
      recent_->add({pause_name_});
      Core& core = Core::of(co_await asio::this_coro::executor);
      co_await core.yield();
      pass();
      skipped_ = 0;
    } else {
      static_cast<void>(co_await base_->load());   // its state says how it went
    }
    settle();
  }
  if (state_ == State::failed) co_return fail(error());
  co_return Result<>{};
}

}  // namespace skerry::store
