// SPDX-License-Identifier: Apache-2.0
#include "store/table_stack.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "store/rocksdb_store.hpp"

namespace skerry::store {

TableLimits TableLimits::of(std::uint64_t budget, std::uint64_t replay_bytes_max) {
  const std::uint64_t shared = budget - std::min<std::uint64_t>(budget / 5 * 2, 40 << 20);
  return {.budget = shared,
          // Two of them, one filling and one being written, are nearly all: what is written again and again should fit into one.
          .active_bytes_max = std::min<std::uint64_t>(shared / 5 * 2, 64 << 20),
          // What is applied while a table is being written is replayed too.
          .applied_bytes_max = replay_bytes_max / 4 * 3,
          .unwritten_bytes_max = shared / 10 * 9,
          .tables_bytes_max = shared / 20 * 17,
          .loaded_bytes_min = shared / 16,
          .blocks_bytes_min = shared / 10};
}

// --- writes

void TableStack::put(BytesView key, std::uint32_t hash, BytesView value) {
  applied_bytes_ += key.size() + value.size();
  active_->put(key, hash, value, ++last_);
}

void TableStack::erase(BytesView key, std::uint32_t hash) {
  applied_bytes_ += key.size();
  active_->erase(key, hash, ++last_);
}

void TableStack::erase_range(BytesView start, BytesView end) {
  applied_bytes_ += start.size() + end.size();
  active_->erase_range(start, end, ++last_);
}

bool TableStack::full() const {
  return active_->bytes() >= limits_.active_bytes_max || applied_bytes_ >= limits_.applied_bytes_max ||
         active_->fragments().size() >= fragments_max;
}

bool TableStack::has_room() const {
  return frozen_.size() < frozen_max && active_->bytes() + frozen_bytes_ < limits_.unwritten_bytes_max;
}

void TableStack::freeze(std::vector<std::pair<ShardId, Offset>> offsets) {
  SKERRY_ASSERT(dirty());
  frozen_bytes_ += active_->bytes();
  frozen_.push_back({std::exchange(active_, std::make_shared<Table>()), ++frozen_number_, std::move(offsets)});
  applied_bytes_ = 0;
  shed();
}

// --- the way to disk

void TableStack::oldest_is_written() {
  Frozen oldest = std::move(frozen_.front());
  frozen_.pop_front();
  written_number_ = oldest.number;
  const std::uint64_t bytes = oldest.table->bytes();
  frozen_bytes_ -= bytes;
  written_bytes_ += bytes;
  written_.push_front(std::move(oldest.table));
  shed();
}

// Lets go of what only saves a read, the oldest first, until all fit: as if the active table were as large as it may become.
void TableStack::shed() {
  const auto taken = [this] { return limits_.active_bytes_max + frozen_bytes_ + written_bytes_ + loaded_bytes(); };
  if (taken() > limits_.tables_bytes_max) forget(loaded_before_);
  if (taken() > limits_.tables_bytes_max && loaded_bytes() > limits_.loaded_bytes_min) forget(loaded_);
  const std::size_t before = written_.size();
  while (!written_.empty() && (written_.size() > written_max || taken() > limits_.tables_bytes_max)) {
    written_bytes_ -= written_.back()->bytes();
    discard(std::move(written_.back()));
    written_.pop_back();
  }
  // A record that was loaded before a table was written is hidden by the table, and only as long as that is here.
  if (written_.size() != before) forget_loaded();
}

// --- reads

Table::Found TableStack::find(BytesView key, BytesView& value) const {
  const std::uint32_t hash = table_hash(key);
  Table::Found found = active_->find(key, hash, value);
  for (auto table = frozen_.rbegin(); found == Table::Found::nothing && table != frozen_.rend(); ++table) {
    found = table->table->find(key, hash, value);
  }
  for (auto table = written_.begin(); found == Table::Found::nothing && table != written_.end(); ++table) {
    found = (*table)->find(key, hash, value);
  }
  if (found == Table::Found::nothing) found = loaded_->find(key, hash, value);
  if (found == Table::Found::nothing) found = loaded_before_->find(key, hash, value);
  return found;
}

void TableStack::expect(std::span<std::uint32_t> hashes) const {
  const auto look = [&hashes](const Table& table) {
    if (!hashes.empty()) hashes = hashes.first(table.expect(hashes));
  };
  look(*active_);
  for (auto table = frozen_.rbegin(); table != frozen_.rend(); ++table) look(*table->table);
  for (const auto& table : written_) look(*table);
  look(*loaded_);
  look(*loaded_before_);
}

std::vector<std::unique_ptr<Table::Walk>> TableStack::walks() const {
  std::vector<std::unique_ptr<Table::Walk>> out;
  if (!active_->empty()) out.push_back(std::make_unique<Table::Walk>(active_, last_));
  for (auto table = frozen_.rbegin(); table != frozen_.rend(); ++table) {
    out.push_back(std::make_unique<Table::Walk>(table->table, last_));
  }
  return out;
}

void TableStack::keep_loaded(std::uint64_t loads_number, BytesView key, std::optional<BytesView> value) {
  if (loads_number != loads_number_ || (value && value->size() > limits_.loaded_bytes_min / 4)) return;
  if (loaded_->bytes() > loaded_bytes_max() / 2) {   // the other half are those loaded before
    discard(std::exchange(loaded_before_, std::exchange(loaded_, std::make_shared<Table>())));
  }
  if (value) {
    loaded_->put(key, table_hash(key), *value, 0);
  } else {
    loaded_->erase(key, table_hash(key), 0);
  }
}

std::uint64_t TableStack::loaded_bytes_max() const {
  const std::uint64_t tables = active_->bytes() + frozen_bytes_ + written_bytes_;
  return std::max(limits_.loaded_bytes_min, limits_.tables_bytes_max - std::min(limits_.tables_bytes_max, tables));
}

void TableStack::shed_loaded() {
  if (loaded_bytes() <= loaded_bytes_max()) [[likely]]
    return;
  forget(loaded_before_);
  if (loaded_bytes() > loaded_bytes_max()) forget(loaded_);
}

void TableStack::forget_loaded() {
  ++loads_number_;
  forget(loaded_);
  forget(loaded_before_);
}

void TableStack::forget(std::shared_ptr<Table>& loaded) {
  if (!loaded->empty()) discard(std::exchange(loaded, std::make_shared<Table>()));
}

// --- memory

std::uint64_t TableStack::blocks_bytes() const {
  const std::uint64_t taken = limits_.active_bytes_max + frozen_bytes_ + written_bytes_ + loaded_bytes();
  return std::max(limits_.blocks_bytes_min, limits_.budget - std::min(limits_.budget, taken));
}

}   // namespace skerry::store
