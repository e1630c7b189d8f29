// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#include <vector>

#include "base/bytes.hpp"
#include "runtime/random.hpp"

namespace skerry::store {

// An ordered map of bytes whose copies cost nothing: a treap whose nodes are shared between copies and are copied, one path
// at a time, only when a shared one is about to change. So a cursor pins the state it was made from by holding a copy, at no
// cost while nobody writes and O(log n) nodes a write while somebody does; versioned entries would instead need a collector
// and make every reader skip what it may not see. A range is erased in O(log n) plus the freeing. One core's: the counts of
// references are plain integers.
class MemoryTree {
 public:
  struct Value : boost::intrusive_ref_counter<Value, boost::thread_unsafe_counter> {
    explicit Value(BytesView from) : bytes(from) {}
    Bytes bytes;
  };
  struct Node : boost::intrusive_ref_counter<Node, boost::thread_unsafe_counter> {
    Node(BytesView at, BytesView holds, std::uint64_t rank) : key(at), value(new Value(holds)), priority(rank) {}
    Bytes key;
    boost::intrusive_ptr<const Value> value;   // apart from the node, so that copying a path copies no values
    std::uint64_t priority;                    // a heap over these keeps the tree balanced, whatever the order of keys
    std::uint64_t bytes = 0;                   // keys and values of this node and all below
    boost::intrusive_ptr<Node> left, right;
  };
  using NodePtr = boost::intrusive_ptr<Node>;

  const Bytes* find(BytesView key) const;   // nullptr when absent; valid until the next change of this copy
  void put(BytesView key, BytesView value);
  void erase(BytesView key);
  void erase_range(BytesView start, BytesView end);   // end exclusive
  void clear() { root_.reset(); }
  bool empty() const { return !root_; }
  std::uint64_t bytes() const { return root_ ? root_->bytes : 0; }

  // Walks one copy of the tree in byte order. Holds the tree it walks by pointer: that copy must not change meanwhile.
  class Walk {
   public:
    explicit Walk(const MemoryTree& tree) : tree_(&tree) {}
    void seek(BytesView key);         // to the first key at or above
    void seek_below(BytesView key);   // to the last key strictly below
    void seek_first();
    void seek_last();
    void next();                      // Requires: valid()
    void previous();
    bool valid() const { return !path_.empty(); }
    const Bytes& key() const { return path_.back()->key; }
    const Bytes& value() const { return path_.back()->value->bytes; }

   private:
    using Child = NodePtr Node::*;
    void descend(const Node* node, Child side);
    void step(Child forward, Child back);
    const MemoryTree* tree_;
    std::vector<const Node*> path_;   // from the root to where we stand; empty at the end
  };

 private:
  NodePtr root_;
  Random random_{0x5EED};   // only the shape depends on it
};

}  // namespace skerry::store
