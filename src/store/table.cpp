// SPDX-License-Identifier: Apache-2.0
#include "store/table.hpp"

#include <array>
#include <cstring>
#include <new>

#include "base/assert.hpp"

namespace skerry::store {

void Table::put(BytesView key, std::uint32_t hash, BytesView value, WriteNumber number) {
  write(key, hash, value, false, number);
}

void Table::erase(BytesView key, std::uint32_t hash, WriteNumber number) { write(key, hash, {}, true, number); }

void Table::write(BytesView key, std::uint32_t hash, BytesView value, bool erased, WriteNumber number) {
  TableEntry* entry = index_.find(key, hash);
  if (entry == nullptr) entry = make_entry(key, hash);
  TableVersion* now = entry->newest;
  // Walks that are younger than what is there may stand on it; older ones never see it.
  const bool seen = now != nullptr && !walks_.empty() && walks_.back().as_of() >= now->number;
  if (now == nullptr || seen || now->capacity < value.size()) {
    // What grew once may grow again.
    TableVersion* fresh = make_version(now == nullptr || erased ? value.size() : value.size() + value.size() / 8);
    fresh->older = seen || now == nullptr ? now : now->older;
    now = entry->newest = fresh;
  }
  now->number = number;
  now->size = erased ? TableVersion::erased : static_cast<std::uint32_t>(value.size());
  if (!value.empty()) std::memcpy(now->bytes(), value.data(), value.size());
}

TableVersion* Table::make_version(std::size_t capacity) {
  capacity = (capacity + 7) / 8 * 8;   // the arena would round it up anyway
  auto* version = new (arena_.allocate(sizeof(TableVersion) + capacity)) TableVersion;
  version->capacity = static_cast<std::uint32_t>(capacity);
  return version;
}

TableEntry* Table::make_entry(BytesView key, std::uint32_t hash) {
  const TableArena::Place place = arena_.place(sizeof(TableEntry) + key.size());
  auto* entry = new (place.at) TableEntry{nullptr, static_cast<std::uint32_t>(key.size()), hash};
  std::memcpy(place.at + sizeof(TableEntry), key.data(), key.size());
  index_.insert(hash, place.name);
  if (walked_ == Walked::yes) order_.insert(entry);
  return entry;
}

BytesView Table::keep(BytesView key) {
  char* copy = arena_.allocate(key.size());
  std::memcpy(copy, key.data(), key.size());
  return {copy, key.size()};
}

void Table::erase_range(BytesView start, BytesView end, WriteNumber number) {
  if (start >= end) return;
  if (fragments_.use_count() > 1) fragments_ = std::make_shared<TableFragments>(*fragments_);
  fragments_->erase({keep(start), keep(end), number});
}

const TableVersion* Table::newest(const TableEntry& entry) const {
  if (!fragments_->empty()) {
    const TableFragment* fragment = fragments_->covering(entry.key());
    if (fragment != nullptr && fragment->number > entry.newest->number) return nullptr;
  }
  return entry.newest;
}

Table::Found Table::find(BytesView key, std::uint32_t hash, BytesView& value) const {
  const TableEntry* entry = index_.find(key, hash);
  if (entry == nullptr) {
    if (fragments_->empty()) return Found::nothing;
    return fragments_->covering(key) == nullptr ? Found::nothing : Found::erased;
  }
  const TableVersion* version = newest(*entry);
  if (version == nullptr || version->is_erased()) return Found::erased;
  value = version->value();
  return Found::value;
}

// In steps, each over all keys, since each needs what the one before asked memory for.
std::size_t Table::expect(std::span<std::uint32_t> hashes) const {
  constexpr std::size_t line = 64, lines_of_version = 4;
  SKERRY_ASSERT(hashes.size() <= expected_max);
  for (const std::uint32_t hash : hashes) index_.bring_near(hash);
  std::array<const TableEntry*, expected_max> entries;
  std::size_t found = 0, left = 0;
  for (const std::uint32_t hash : hashes) {
    const TableEntry* entry = index_.likely(hash);
    if (entry == nullptr) {
      hashes[left++] = hash;
      continue;
    }
    __builtin_prefetch(entry);
    __builtin_prefetch(reinterpret_cast<const char*>(entry) + line);
    entries[found++] = entry;
  }
  for (const TableEntry* entry : std::span(entries).first(found)) {
    const char* version = reinterpret_cast<const char*>(entry->newest);
    for (std::size_t i = 0; i < lines_of_version; ++i) __builtin_prefetch(version + i * line);
  }
  return left;
}

Table::Walk::Walk(std::shared_ptr<const Table> table, WriteNumber as_of)
    : table_(std::move(table)), as_of_(as_of), fragments_(table_->fragments_) {
  table_->walks_.push_back(*this);
}

void Table::Walk::stand(TableOrder::Place place) {
  place_ = place;
  if (!place.valid()) return;
  version_ = place.entry->as_of(as_of_);
  if (version_ == nullptr) {
    sight_ = Sight::nothing;
    return;
  }
  const TableFragment* fragment = covering(place.entry->key());
  const bool taken = version_->is_erased() || (fragment != nullptr && fragment->number > version_->number);
  sight_ = taken ? Sight::erased : Sight::value;
}

}  // namespace skerry::store
