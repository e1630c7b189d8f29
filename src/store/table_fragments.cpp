// SPDX-License-Identifier: Apache-2.0
#include "store/table_fragments.hpp"

#include <algorithm>

namespace skerry::store {

void TableFragments::erase(TableFragment erased) {
  // Those that reach into the new one: from the first that ends behind its start to the last that starts before its end.
  const auto first = std::ranges::upper_bound(sorted_, erased.start, {}, &TableFragment::end);
  const auto last = std::lower_bound(first, sorted_.end(), erased.end,
                                     [](const TableFragment& each, BytesView key) { return each.start < key; });
  TableFragment pieces[3];
  std::size_t count = 0;
  if (first != last && first->start < erased.start) pieces[count++] = {first->start, erased.start, first->number};
  pieces[count++] = erased;
  if (first != last && std::prev(last)->end > erased.end) {
    pieces[count++] = {erased.end, std::prev(last)->end, std::prev(last)->number};
  }
  const auto replaced = static_cast<std::size_t>(last - first);
  const auto copied = std::copy_n(pieces, std::min(count, replaced), first);
  if (count > replaced) {
    sorted_.insert(copied, pieces + replaced, pieces + count);
  } else {
    sorted_.erase(copied, last);
  }
}

const TableFragment* TableFragments::covering(BytesView key) const {
  const auto after = std::ranges::upper_bound(sorted_, key, {}, &TableFragment::start);
  if (after == sorted_.begin()) return nullptr;
  const TableFragment& before = *std::prev(after);
  return key < before.end ? &before : nullptr;
}

}  // namespace skerry::store
