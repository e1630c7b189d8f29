// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "store/table_entry.hpp"

namespace skerry::store {

// Everything from `start` (inclusive) to `end` (exclusive) was erased by that write, in this table and all below it. Points into
// the table's arena.
struct TableFragment {
  BytesView start, end;
  WriteNumber number;
};

// What range deletions erased: fragments that don't overlap, in order. Where two deletions did, the newer one counts. Plain
// data, so that keeping a copy for a cursor is cheap.
class TableFragments {
 public:
  void erase(TableFragment erased);                       // Requires: newer than all before, and not empty
  const TableFragment* covering(BytesView key) const;     // null: none
  bool empty() const { return sorted_.empty(); }
  std::size_t size() const { return sorted_.size(); }
  auto begin() const { return sorted_.begin(); }
  auto end() const { return sorted_.end(); }

 private:
  std::vector<TableFragment> sorted_;
};

}  // namespace skerry::store
