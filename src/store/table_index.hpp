// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "store/table_arena.hpp"
#include "store/table_entry.hpp"

namespace skerry::store {

std::uint32_t table_hash(BytesView key);

// Finds an entry by its whole key: open addressing over slots of eight bytes, half of them the hash, so that most misses touch
// one cache line and growing touches no entry.
class TableIndex {
 public:
  explicit TableIndex(const TableArena& arena) : arena_(arena) {}
  TableEntry* find(BytesView key, std::uint32_t hash) const;   // null when absent
  // What find() would look at, without waiting for memory: where it starts, then the entry that the key's hash leads to. Wants
  // bring_near().
  void bring_near(std::uint32_t hash) const {
    if (!slots_.empty()) __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]);
  }
  const TableEntry* likely(std::uint32_t hash) const;   // null: none
  void insert(std::uint32_t hash, std::uint32_t name);   // Requires: absent
  std::size_t size() const { return size_; }
  std::size_t bytes() const { return slots_.size() * sizeof(std::uint64_t); }

 private:
  static constexpr std::size_t slots_min = 64;
  void place(std::uint64_t slot);
  void grow();

  const TableArena& arena_;
  std::vector<std::uint64_t> slots_;   // hash << 32 | name of the entry + 1; 0: empty. A power of two of them
  std::size_t size_ = 0;
};

}   // namespace skerry::store
