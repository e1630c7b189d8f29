// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "store/table_arena.hpp"
#include "store/table_entry.hpp"

namespace skerry::store {

// The entries of a table in byte order: a B+-tree that only grows. Each node knows how far all its keys agree and keeps the
// eight bytes behind that beside its pointers, so that a search touches about one key a level.
class TableOrder {
 public:
  struct Node;
  // Where a walk stands. Stays meaningful while entries are inserted: moving finds the entry again if it has moved.
  struct Place {
    const Node* node = nullptr;   // null: at the end
    unsigned slot = 0;
    const TableEntry* entry = nullptr;

    bool valid() const { return node != nullptr; }
  };

  explicit TableOrder(TableArena& arena) : arena_(arena) {}
  void insert(TableEntry* entry);   // Requires: its key is not there

  Place first() const;
  Place last() const;
  Place at_or_above(BytesView key) const;
  Place below(BytesView key) const;
  Place next(Place place) const;       // Requires: valid
  Place previous(Place place) const;

 private:
  Node* make_node(bool leaf);
  Node* leaf_for(BytesView key) const;
  Place settled(Place place) const;
  static Place standing(const Node* node, unsigned slot);

  TableArena& arena_;
  Node* root_ = nullptr;
};

}  // namespace skerry::store
