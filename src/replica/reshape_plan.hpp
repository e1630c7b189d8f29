// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "replica/messages.hpp"
#include "store/hash_range.hpp"
#include "store/key_order.hpp"

namespace skerry::replica {

// Shards that become others: one parent and two children for a split, two and one for a merge.
struct ReshapePlan {
  struct Parent {
    ShardId shard;
    Term term;      // in which it is fenced; while it serves: its present one
    EntryId head;   // its last entry, committed; not meant while it serves
  };
  struct Child {
    ShardId shard;
    store::HashRange hashes;
  };
  std::vector<Parent> parents;
  std::vector<Child> children;   // in the order of their hashes
  store::KeyOrder order = store::KeyOrder::hierarchical;
  Term term;   // of the children's replicas, above that of every parent's entry

  bool splits() const { return children.size() > 1; }
  // The last entry of the children's logs: the highest offset of the parents', in the highest term of theirs.
  EntryId head() const;
  // What comes from a peer may be anything.
  Result<> check() const;
};

}  // namespace skerry::replica
