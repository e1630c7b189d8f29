// SPDX-License-Identifier: Apache-2.0
#include "store/table_index.hpp"

#include "base/hash.hpp"

namespace skerry::store {

std::uint32_t table_hash(BytesView key) { return key_hash(key); }

TableEntry* TableIndex::find(BytesView key, std::uint32_t hash) const {
  if (slots_.empty()) return nullptr;
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask; slots_[at] != 0; at = (at + 1) & mask) {
    if (slots_[at] >> 32 != hash) continue;
    auto* entry = static_cast<TableEntry*>(arena_.at(static_cast<std::uint32_t>(slots_[at]) - 1));
    if (entry->key() == key) return entry;
  }
  return nullptr;
}

const TableEntry* TableIndex::likely(std::uint32_t hash) const {
  if (slots_.empty()) return nullptr;
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask; slots_[at] != 0; at = (at + 1) & mask) {
    if (slots_[at] >> 32 != hash) continue;
    return static_cast<const TableEntry*>(arena_.at(static_cast<std::uint32_t>(slots_[at]) - 1));
  }
  return nullptr;
}

void TableIndex::insert(std::uint32_t hash, std::uint32_t name) {
  if ((size_ + 1) * 4 > slots_.size() * 3) grow();
  place(std::uint64_t{hash} << 32 | (name + 1));
  ++size_;
}

void TableIndex::place(std::uint64_t slot) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = (slot >> 32) & mask;
  while (slots_[at] != 0) at = (at + 1) & mask;
  slots_[at] = slot;
}

void TableIndex::grow() {
  std::vector<std::uint64_t> old(std::max(slots_min, slots_.size() * 2));
  old.swap(slots_);
  for (const std::uint64_t slot : old)
    if (slot != 0) place(slot);
}

}  // namespace skerry::store
