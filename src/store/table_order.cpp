// SPDX-License-Identifier: Apache-2.0
#include "store/table_order.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/assert.hpp"

namespace skerry::store {
namespace {

constexpr unsigned slots_max = 32;
constexpr unsigned levels_max = 16;

std::size_t common_prefix(BytesView a, BytesView b) {
  const std::size_t length = std::min(a.size(), b.size());
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(length), b.begin()).first -
                                  a.begin());
}

// Eight bytes from `skip` on as a number that compares as they do; a shorter key is filled up with zeros, so equal heads say
// nothing.
std::uint64_t head_of(BytesView key, std::size_t skip) {
  std::uint64_t head = 0;
  if (key.size() > skip) std::memcpy(&head, key.data() + skip, std::min<std::size_t>(sizeof head, key.size() - skip));
  return to_big_endian(head);
}

}  // namespace

struct TableOrder::Node {
  unsigned count = 0;
  bool leaf = true;
  std::size_t skip = 0;                // all keys of the node agree in so many bytes
  std::uint64_t heads[slots_max];      // of the keys, behind that
  TableEntry* entries[slots_max];      // inner nodes: the least of each child
  Node* previous = nullptr;            // leaves
  Node* next = nullptr;

  struct Found {
    unsigned slot;   // the first at or above
    bool equal;
  };
  Found find(BytesView key) const;
  void insert(unsigned slot, TableEntry* entry);
  void lower_first(TableEntry* entry);
  void refresh();
  Node** children();
  Node* const* children() const { return const_cast<Node*>(this)->children(); }
};

namespace {
struct InnerNode final : TableOrder::Node {
  TableOrder::Node* below[slots_max];
};
}  // namespace

TableOrder::Node** TableOrder::Node::children() { return static_cast<InnerNode*>(this)->below; }

TableOrder::Node::Found TableOrder::Node::find(BytesView key) const {
  const BytesView prefix = entries[0]->key().substr(0, skip);
  const int above = key.substr(0, skip).compare(prefix);
  if (above < 0) return {0, false};
  if (above > 0) return {count, false};
  const std::uint64_t head = head_of(key, skip);
  unsigned slot = 0;
  for (unsigned step = slots_max / 2; step > 0; step /= 2) {
    if (slot + step <= count && heads[slot + step - 1] < head) slot += step;
  }
  if (slot < count && heads[slot] < head) ++slot;
  for (; slot < count && heads[slot] == head; ++slot) {
    const int order = entries[slot]->key().substr(skip).compare(key.substr(skip));
    if (order >= 0) return {slot, order == 0};
  }
  return {slot, false};
}

void TableOrder::Node::insert(unsigned slot, TableEntry* entry) {
  std::copy_backward(heads + slot, heads + count, heads + count + 1);
  std::copy_backward(entries + slot, entries + count, entries + count + 1);
  entries[slot] = entry;
  ++count;
  if (count == 1 || entry->key().substr(0, skip) != entries[slot == 0 ? 1 : 0]->key().substr(0, skip)) return refresh();
  heads[slot] = head_of(entry->key(), skip);
}

// The first child takes a key below all others.
void TableOrder::Node::lower_first(TableEntry* entry) {
  const bool agrees = entry->key().substr(0, skip) == entries[0]->key().substr(0, skip);
  entries[0] = entry;
  if (!agrees) return refresh();
  heads[0] = head_of(entry->key(), skip);
}

void TableOrder::Node::refresh() {
  skip = common_prefix(entries[0]->key(), entries[count - 1]->key());
  for (unsigned i = 0; i < count; ++i) heads[i] = head_of(entries[i]->key(), skip);
}

TableOrder::Node* TableOrder::make_node(bool leaf) {
  if (leaf) return new (arena_.allocate(sizeof(Node))) Node;
  auto* node = new (arena_.allocate(sizeof(InnerNode))) InnerNode;
  node->leaf = false;
  return node;
}

void TableOrder::insert(TableEntry* entry) {
  if (root_ == nullptr) root_ = make_node(true);
  const BytesView key = entry->key();
  struct Step {
    Node* node;
    unsigned slot;   // of the child that was taken
  };
  Step path[levels_max];
  unsigned depth = 0;
  Node* node = root_;
  while (!node->leaf) {
    const auto [slot, equal] = node->find(key);
    const unsigned child = equal ? slot : std::max(slot, 1U) - 1;
    if (slot == 0 && !equal) node->lower_first(entry);
    SKERRY_ASSERT(depth < levels_max);
    path[depth++] = {node, child};
    node = node->children()[child];
  }
  unsigned slot = node->count == 0 ? 0 : node->find(key).slot;
  Node* added_child = nullptr;   // goes with `entry` into an inner node
  for (;;) {
    const auto insert_into = [&](Node& into, unsigned at) {
      into.insert(at, entry);
      if (into.leaf) return;
      Node** children = into.children();
      std::copy_backward(children + at, children + into.count - 1, children + into.count);
      children[at] = added_child;
    };
    if (node->count < slots_max) return insert_into(*node, slot);

    // Split. Keys that come in order leave full nodes behind them.
    Node* right = make_node(node->leaf);
    const bool at_the_end = slot == slots_max && (node->leaf ? node->next == nullptr : true);
    const unsigned kept = at_the_end ? slots_max : slots_max / 2;
    right->count = slots_max - kept;
    std::copy(node->entries + kept, node->entries + slots_max, right->entries);
    if (!node->leaf) std::copy(node->children() + kept, node->children() + slots_max, right->children());
    node->count = kept;
    if (node->leaf) {
      right->next = node->next;
      right->previous = node;
      if (right->next != nullptr) right->next->previous = right;
      node->next = right;
    }
    if (right->count > 0) {
      node->refresh();
      right->refresh();
    }
    slot > kept || at_the_end ? insert_into(*right, slot - kept) : insert_into(*node, slot);
    entry = right->entries[0];
    added_child = right;
    if (depth == 0) {
      Node* root = make_node(false);
      root->entries[0] = node->entries[0];
      root->children()[0] = node;
      root->count = 1;
      root->refresh();
      root->insert(1, entry);
      root->children()[1] = right;
      root_ = root;
      return;
    }
    const Step up = path[--depth];
    node = up.node;
    slot = up.slot + 1;
  }
}

TableOrder::Node* TableOrder::leaf_for(BytesView key) const {
  Node* node = root_;
  while (node != nullptr && !node->leaf) {
    const auto [slot, equal] = node->find(key);
    node = node->children()[equal ? slot : std::max(slot, 1U) - 1];
  }
  return node;
}

TableOrder::Place TableOrder::standing(const Node* node, unsigned slot) {
  return node == nullptr ? Place{} : Place{node, slot, node->entries[slot]};
}

TableOrder::Place TableOrder::first() const {
  const Node* node = root_;
  while (node != nullptr && !node->leaf) node = node->children()[0];
  return standing(node, 0);
}

TableOrder::Place TableOrder::last() const {
  const Node* node = root_;
  while (node != nullptr && !node->leaf) node = node->children()[node->count - 1];
  return node == nullptr ? Place{} : standing(node, node->count - 1);
}

TableOrder::Place TableOrder::at_or_above(BytesView key) const {
  const Node* leaf = leaf_for(key);
  if (leaf == nullptr) return {};
  const unsigned slot = leaf->find(key).slot;
  return slot < leaf->count ? standing(leaf, slot) : standing(leaf->next, 0);
}

TableOrder::Place TableOrder::below(BytesView key) const {
  const Node* leaf = leaf_for(key);
  if (leaf == nullptr) return {};
  if (const unsigned slot = leaf->find(key).slot; slot > 0) return standing(leaf, slot - 1);
  leaf = leaf->previous;
  return leaf == nullptr ? Place{} : standing(leaf, leaf->count - 1);
}

// A split may have moved the entry to another node, or an insertion within its own.
TableOrder::Place TableOrder::settled(Place place) const {
  if (place.slot < place.node->count && place.node->entries[place.slot] == place.entry) return place;
  return at_or_above(place.entry->key());
}

TableOrder::Place TableOrder::next(Place place) const {
  place = settled(place);
  return place.slot + 1 < place.node->count ? standing(place.node, place.slot + 1) : standing(place.node->next, 0);
}

TableOrder::Place TableOrder::previous(Place place) const {
  place = settled(place);
  if (place.slot > 0) return standing(place.node, place.slot - 1);
  const Node* left = place.node->previous;
  return left == nullptr ? Place{} : standing(left, left->count - 1);
}

}  // namespace skerry::store
