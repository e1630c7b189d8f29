// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <boost/unordered/unordered_flat_set.hpp>
#include <map>
#include <memory>
#include <optional>

#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "base/ids.hpp"

namespace skerry::store {

// One change in an overlay: its key and, unless it erases, its value stand behind it in the same allocation.
class OverlayChange {
 public:
  struct Deleter {
    void operator()(OverlayChange* change) const;
  };
  using Ptr = std::unique_ptr<OverlayChange, Deleter>;
  static Ptr make(BytesView key, std::optional<BytesView> value, Offset offset);

  Offset offset() const { return offset_; }   // of the entry that makes it
  std::uint32_t hash() const { return hash_; }   // of the key
  BytesView key() const { return {bytes(), key_bytes_}; }
  std::optional<BytesView> value() const {   // nothing: erased
    return erases_ ? std::nullopt : std::optional(BytesView(bytes() + key_bytes_, value_bytes_));
  }

 private:
  OverlayChange(BytesView key, std::optional<BytesView> value, Offset offset);
  const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }

  Offset offset_;
  std::uint32_t key_bytes_, value_bytes_, hash_;
  bool erases_;
};

// The changes of single keys of one space. Nearly every use is a lookup, so they are hashed; an order is made when one is asked
// for, and kept until there is nothing left to order.
class OverlayPoints {
 public:
  using Ordered = std::map<BytesView, const OverlayChange*>;

  OverlayPoints() = default;
  OverlayPoints(const OverlayPoints&) = delete;
  OverlayPoints& operator=(const OverlayPoints&) = delete;
  ~OverlayPoints() { clear(); }

  bool empty() const { return changes_.empty(); }
  const OverlayChange* find(BytesView key) const;
  void put(OverlayChange::Ptr change);   // in place of what was there under its key
  void settle(BytesView key, Offset offset);   // forgets the key's change if it was made by that entry or one before
  void erase_range(BytesView start, BytesView end);
  void clear();
  // Moves all changes to `into`.
  void drain(OverlayPoints& into);
  // Valid until the next change.
  const Ordered& ordered() const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(BytesView key) const { return key_hash(key); }
    std::size_t operator()(const OverlayChange* change) const { return change->hash(); }
  };
  struct Equal {
    using is_transparent = void;
    static BytesView key(BytesView key) { return key; }
    static BytesView key(const OverlayChange* change) { return change->key(); }
    bool operator()(const auto& one, const auto& other) const { return key(one) == key(other); }
  };

  using Changes = boost::unordered_flat_set<OverlayChange*, Hash, Equal>;
  void erase(Changes::iterator at);

  Changes changes_;   // owned
  mutable std::optional<Ordered> ordered_;
};

}  // namespace skerry::store
