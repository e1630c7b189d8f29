// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "store/entry.hpp"
#include "store/hash_range.hpp"
#include "store/key_order.hpp"

namespace skerry::store {

// What an entry of a shard that was split is in the log of one of its children: under the same offset, with the same stamp and
// counters. A pure function of the entry and the children's hashes, so that every replica makes the same bytes.
//
// A record that belongs to another child is erased here: what was under its key may have belonged to this one. Erasures stay,
// since they don't say whose they are. Each change is told by one child only: a put by the one that it belongs to, a deletion by
// the one that the key's own hash belongs to, a deleted range by the first.
class EntrySplit {
 public:
  // `children` are all of the shard's, in the order of their hashes; this is for the one at `self`.
  EntrySplit(KeyOrder order, std::vector<HashRange> children, std::size_t self);

  // Fails with corrupt, and with ReshapeError::foreign_records where a record belongs to no child.
  Result<Bytes> split(BytesView entry) const;

 private:
  struct Ownership;
  bool tells_of(BytesView encoded_key) const;
  Result<bool> is_ours(const Effect& effect, const Ownership& ownership) const;

  const KeyOrder order_;
  const std::vector<HashRange> children_;
  const std::size_t self_;
};

}   // namespace skerry::store
