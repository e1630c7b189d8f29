// SPDX-License-Identifier: Apache-2.0
#include "store/memory_tree.hpp"

namespace skerry::store {
namespace {

using Node = MemoryTree::Node;
using NodePtr = MemoryTree::NodePtr;
using Value = MemoryTree::Value;

constexpr std::uint64_t node_overhead = sizeof(Node) + sizeof(Value);

std::uint64_t own_bytes(const Node& node) { return node.key.size() + node.value->bytes.size() + node_overhead; }
std::uint64_t bytes_of(const NodePtr& node) { return node ? node->bytes : 0; }
void recount(Node& node) { node.bytes = own_bytes(node) + bytes_of(node.left) + bytes_of(node.right); }

// Makes the node ours alone, so that changing it changes no other copy of the tree.
void own(NodePtr& node) {
  if (node->use_count() > 1) node = NodePtr(new Node(*node));
}

// The child on `up` takes its parent's place. Requires: both are ours alone.
void rotate(NodePtr& at, NodePtr Node::* up, NodePtr Node::* other) {
  NodePtr child = std::move((*at).*up);
  (*at).*up = std::move((*child).*other);
  recount(*at);
  (*child).*other = std::move(at);
  at = std::move(child);
  recount(*at);
}

// Returns by how many bytes the subtree has grown, as a wrapping difference.
std::uint64_t put_below(NodePtr& at, BytesView key, BytesView value, Random& random) {
  if (!at) {
    at = NodePtr(new Node(key, value, random.next()));
    recount(*at);
    return at->bytes;
  }
  own(at);
  const int order = key.compare(at->key);
  if (order == 0) {
    const std::uint64_t grown = value.size() - at->value->bytes.size();
    at->value = new Value(value);
    at->bytes += grown;
    return grown;
  }
  const auto side = order < 0 ? &Node::left : &Node::right;
  const std::uint64_t grown = put_below((*at).*side, key, value, random);
  at->bytes += grown;
  if (((*at).*side)->priority > at->priority) rotate(at, side, order < 0 ? &Node::right : &Node::left);
  return grown;
}

// Requires: every key of `low` is below every key of `high`.
NodePtr join(NodePtr low, NodePtr high) {
  if (!low) return high;
  if (!high) return low;
  NodePtr& top = low->priority > high->priority ? low : high;
  own(top);
  if (&top == &low) {
    low->right = join(std::move(low->right), std::move(high));
  } else {
    high->left = join(std::move(low), std::move(high->left));
  }
  recount(*top);
  return std::move(top);
}

struct Halves {
  NodePtr below, rest;   // keys below the cut; at or above it
};

Halves split(NodePtr at, BytesView cut) {
  if (!at) return {};
  own(at);
  Halves halves;
  if (BytesView(at->key) < cut) {
    Halves inner = split(std::move(at->right), cut);
    at->right = std::move(inner.below);
    recount(*at);
    halves = {std::move(at), std::move(inner.rest)};
  } else {
    Halves inner = split(std::move(at->left), cut);
    at->left = std::move(inner.rest);
    recount(*at);
    halves = {std::move(inner.below), std::move(at)};
  }
  return halves;
}

// Requires: the key is there. Returns how many bytes went.
std::uint64_t erase_below(NodePtr& at, BytesView key) {
  own(at);
  const int order = key.compare(at->key);
  if (order == 0) {
    const std::uint64_t gone = own_bytes(*at);
    at = join(std::move(at->left), std::move(at->right));
    return gone;
  }
  const std::uint64_t gone = erase_below(order < 0 ? at->left : at->right, key);
  at->bytes -= gone;
  return gone;
}

}  // namespace

const Bytes* MemoryTree::find(BytesView key) const {
  const Node* at = root_.get();
  while (at != nullptr) {
    const int order = key.compare(at->key);
    if (order == 0) return &at->value->bytes;
    at = (order < 0 ? at->left : at->right).get();
  }
  return nullptr;
}

void MemoryTree::put(BytesView key, BytesView value) { put_below(root_, key, value, random_); }

void MemoryTree::erase(BytesView key) {
  if (find(key) != nullptr) erase_below(root_, key);
}

void MemoryTree::erase_range(BytesView start, BytesView end) {
  if (start >= end) return;
  Halves outer = split(std::move(root_), start);
  Halves inner = split(std::move(outer.rest), end);
  root_ = join(std::move(outer.below), std::move(inner.rest));
}

void MemoryTree::Walk::descend(const Node* node, Child side) {
  for (; node != nullptr; node = (node->*side).get()) path_.push_back(node);
}

void MemoryTree::Walk::seek_first() {
  path_.clear();
  descend(tree_->root_.get(), &Node::left);
}

void MemoryTree::Walk::seek_last() {
  path_.clear();
  descend(tree_->root_.get(), &Node::right);
}

void MemoryTree::Walk::seek(BytesView key) {
  path_.clear();
  std::size_t found = 0;   // length of the path to the best node so far
  for (const Node* at = tree_->root_.get(); at != nullptr;) {
    path_.push_back(at);
    const bool below = BytesView(at->key) < key;
    if (!below) found = path_.size();
    at = (below ? at->right : at->left).get();
  }
  path_.resize(found);
}

void MemoryTree::Walk::seek_below(BytesView key) {
  path_.clear();
  std::size_t found = 0;
  for (const Node* at = tree_->root_.get(); at != nullptr;) {
    path_.push_back(at);
    const bool below = BytesView(at->key) < key;
    if (below) found = path_.size();
    at = (below ? at->right : at->left).get();
  }
  path_.resize(found);
}

void MemoryTree::Walk::step(Child forward, Child back) {
  const Node* at = path_.back();
  if (at->*forward) return descend((at->*forward).get(), back);
  do {
    at = path_.back();
    path_.pop_back();
  } while (!path_.empty() && (path_.back()->*forward).get() == at);
}

void MemoryTree::Walk::next() { step(&Node::right, &Node::left); }
void MemoryTree::Walk::previous() { step(&Node::left, &Node::right); }

}  // namespace skerry::store
