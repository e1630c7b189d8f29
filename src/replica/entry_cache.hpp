// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>

#include "base/bytes.hpp"
#include "base/ids.hpp"

namespace skerry::replica {

// The newest entries of one shard's log, in memory: until they are applied, and a while longer for followers that are about to be
// sent them. Without a hole; what it does not hold is read from the log. Owned by the replica's driver.
class EntryCache {
 public:
  // Follows the newest, or begins anew where it does not.
  void append(Offset offset, Bytes entry);
  void cut_above(Offset last_kept);
  // Lets go of applied entries: those below `needed_from`, and of the others the oldest until no more than `bytes_max` is held.
  void trim(Offset needed_from, Offset applied, std::size_t bytes_max);
  void clear();

  const Bytes* find(Offset offset) const;   // null: not held; valid until the next change
  std::size_t bytes() const { return bytes_; }
  bool empty() const { return entries_.empty(); }

 private:
  Offset last() const { return Offset(first_.value() + static_cast<std::int64_t>(entries_.size()) - 1); }
  void drop_oldest();

  Offset first_{0};   // of the oldest
  std::deque<Bytes> entries_;
  std::size_t bytes_ = 0;
};

}   // namespace skerry::replica
