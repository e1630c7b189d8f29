// SPDX-License-Identifier: Apache-2.0
#include "replica/entry_cache.hpp"

namespace skerry::replica {

void EntryCache::append(Offset offset, Bytes entry) {
  if (offset != last().next()) clear();
  if (entries_.empty()) first_ = offset;
  bytes_ += entry.size();
  entries_.push_back(std::move(entry));
}

void EntryCache::cut_above(Offset last_kept) {
  while (!entries_.empty() && last() > last_kept) {
    bytes_ -= entries_.back().size();
    entries_.pop_back();
  }
}

void EntryCache::trim(Offset needed_from, Offset applied, std::size_t bytes_max) {
  while (!entries_.empty() && first_ <= applied && (first_ < needed_from || bytes_ > bytes_max)) drop_oldest();
}

void EntryCache::clear() {
  entries_.clear();
  bytes_ = 0;
}

const Bytes* EntryCache::find(Offset offset) const {
  if (entries_.empty() || offset < first_ || offset > last()) return nullptr;
  return &entries_[static_cast<std::size_t>(offset.value() - first_.value())];
}

void EntryCache::drop_oldest() {
  bytes_ -= entries_.front().size();
  entries_.pop_front();
  first_ = first_.next();
}

}  // namespace skerry::replica
