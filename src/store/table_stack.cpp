// SPDX-License-Identifier: Apache-2.0
#include "store/table_stack.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "store/rocksdb_store.hpp"

namespace skerry::store {

TableLimits TableLimits::of(std::uint64_t budget, std::uint64_t replay_bytes_max) {
  const std::uint64_t shared = budget - std::min<std::uint64_t>(budget / 5 * 2, 40 << 20);
  return {.budget = shared,
          // Two of them, one filling and one being written, are nearly all.
          .active_bytes_due = std::min<std::uint64_t>(shared / 5 * 2, 64 << 20),
          // What is written again and again should fit into one, and leave room for the next while it is written.
          .active_bytes_max = std::min<std::uint64_t>(shared / 5 * 3, 128 << 20),
          // What is applied while a table is being written is replayed too.
          .applied_bytes_max = replay_bytes_max / 4 * 3,
          .unwritten_bytes_max = shared / 10 * 9,
          .tables_bytes_max = shared / 10 * 9,
          .loaded_bytes_min = shared / 16,
          .blocks_bytes_min = shared / 10};
}

// --- writes

void TableStack::put(BytesView key, std::uint32_t hash, BytesView value) {
  applied_bytes_ += key.size() + value.size();
  const std::size_t entries = active_->entries();
  active_->put(key, hash, value, ++last_);
  note_write(key, hash, entries);
}

void TableStack::erase(BytesView key, std::uint32_t hash) {
  applied_bytes_ += key.size();
  const std::size_t entries = active_->entries();
  active_->erase(key, hash, ++last_);
  note_write(key, hash, entries);
}

void TableStack::erase_range(BytesView start, BytesView end) {
  applied_bytes_ += start.size() + end.size();
  active_->erase_range(start, end, ++last_);
}

// Looks back now and then: a table into which the same keys come again and again is worth more the more of them it has.
void TableStack::note_write(BytesView key, std::uint32_t hash, std::size_t entries_before) {
  if (active_->entries() != entries_before) note_hidden(key, hash);
  ++writes_;
  if (applied_bytes_ - bytes_at_look_ < limits_.active_bytes_due / 16) [[likely]]
    return;
  const std::uint64_t entries = active_->entries();
  rewriting_ = (entries - entries_at_look_) * 2 < writes_ - writes_at_look_;
  bytes_at_look_ = applied_bytes_;
  writes_at_look_ = writes_;
  entries_at_look_ = entries;
}

// Of the tables below the active one, the newest that has the key: in those below that it was hidden already.
void TableStack::note_hidden(BytesView key, std::uint32_t hash) {
  const auto hides = [&](Kept& kept) {
    if (!kept.table->has_entry(key, hash)) return false;
    ++kept.hidden;
    return true;
  };
  if (std::any_of(frozen_.rbegin(), frozen_.rend(), hides)) return;
  std::ranges::any_of(written_, hides);
}

bool TableStack::full() const {
  return active_->bytes() >= (rewriting_ ? limits_.active_bytes_max : limits_.active_bytes_due) ||
         applied_bytes_ >= limits_.applied_bytes_max || active_->fragments().size() >= fragments_max;
}

bool TableStack::has_room() const {
  return frozen_.size() < frozen_max && active_->bytes() + frozen_bytes_ < limits_.unwritten_bytes_max;
}

bool TableStack::has_much_room() const {
  return frozen_.size() < 2 && active_->bytes() + frozen_bytes_ < limits_.unwritten_bytes_max / 4 * 3;
}

void TableStack::freeze(std::vector<std::pair<ShardId, Offset>> offsets) {
  SKERRY_ASSERT(dirty());
  frozen_bytes_ += active_->bytes();
  frozen_.push_back({{.table = std::exchange(active_, std::make_shared<Table>())}, ++frozen_number_, std::move(offsets)});
  applied_bytes_ = writes_ = bytes_at_look_ = writes_at_look_ = entries_at_look_ = 0;
  rewriting_ = false;
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
  written_.push_front(std::move(static_cast<Kept&>(oldest)));
  if (written_.size() > written_max) drop_oldest_written();
  shed();
}

void TableStack::shed() {
  while (!written_.empty() && is_useless(written_.back())) [[unlikely]]
    drop_oldest_written();
  if (taken() <= limits_.tables_bytes_max) [[likely]]
    return;
  forget(loaded_before_);
  if (taken() > limits_.tables_bytes_max && loaded_bytes() > limits_.loaded_bytes_min) forget(loaded_);
  while (taken() > limits_.tables_bytes_max && !written_.empty()) drop_oldest_written();
}

// What is left to be read in it is less than the memory is worth. Where nothing evaluates writes, as on a follower, and nobody
// reads either, that shows soon.
bool TableStack::is_useless(const Kept& written) {
  const std::size_t entries = written.table->entries();
  return written.hidden >= (written.was_read ? entries - entries / 8 : entries / 8);
}

// A record that was loaded before a table was written is hidden by the table, and only as long as that is here.
void TableStack::drop_oldest_written() {
  written_bytes_ -= written_.back().table->bytes();
  discard(std::move(written_.back().table));
  written_.pop_back();
  forget_loaded();
}

// --- reads

Table::Found TableStack::find(BytesView key, BytesView& value) const {
  const std::uint32_t hash = table_hash(key);
  Table::Found found = active_->find(key, hash, value);
  for (auto table = frozen_.rbegin(); found == Table::Found::nothing && table != frozen_.rend(); ++table) {
    found = table->read(key, hash, value);
  }
  for (auto table = written_.begin(); found == Table::Found::nothing && table != written_.end(); ++table) {
    found = table->read(key, hash, value);
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
  for (const Kept& kept : written_) look(*kept.table);
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
    discard(std::exchange(loaded_before_, std::exchange(loaded_, make_loaded())));
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

void TableStack::forget_loaded() {
  ++loads_number_;
  forget(loaded_);
  forget(loaded_before_);
}

void TableStack::forget(std::shared_ptr<Table>& loaded) {
  if (!loaded->empty()) discard(std::exchange(loaded, make_loaded()));
}

// --- memory

std::uint64_t TableStack::blocks_bytes() const {
  const std::uint64_t reserved = std::max(limits_.active_bytes_due, active_->bytes()) - active_->bytes();
  return std::max(limits_.blocks_bytes_min, limits_.budget - std::min(limits_.budget, taken() + reserved));
}

}   // namespace skerry::store
