// SPDX-License-Identifier: Apache-2.0
#include "store/entry_split.hpp"

#include <algorithm>
#include <map>

#include "base/hash.hpp"
#include "store/layout.hpp"

namespace skerry::store {

// Of the records that the entry puts: whose they are. The last put of a key has the say for all of the entry.
struct EntrySplit::Ownership {
  std::map<Bytes, std::size_t> children;   // by the key, not encoded
};

EntrySplit::EntrySplit(KeyOrder order, std::vector<HashRange> children, std::size_t self)
    : order_(order), children_(std::move(children)), self_(self) {}

Result<Bytes> EntrySplit::split(BytesView encoded) const {
  TRY(const Entry entry, decode_entry(encoded));
  Ownership ownership;
  for (const Effect& effect : entry.effects) {
    if (effect.space != Space::records || effect.action != Effect::Action::put) continue;
    TRY(const RecordView record, decode_record(effect.value));
    Bytes name = decode_key(order_, effect.key);
    TRY(const std::size_t owner, owner_of(children_, name, record));
    ownership.children.insert_or_assign(std::move(name), owner);
  }
  Bytes effects;
  for (Effect effect : entry.effects) {
    if (effect.action == Effect::Action::put) {
      TRY(const bool ours, is_ours(effect, ownership));
      if (!ours) {
        effect.action = Effect::Action::erase;
        effect.notification.reset();
        effect.value = {};
      }
    } else if (effect.action == Effect::Action::erase && effect.notification && !tells_of(effect.key)) {
      effect.notification.reset();
    } else if (effect.action == Effect::Action::erase_range && self_ != 0) {
      effect.notification.reset();
    }
    append_effect(effect, effects);
  }
  return encode_entry(entry.header, effects);
}

Result<bool> EntrySplit::is_ours(const Effect& effect, const Ownership& ownership) const {
  Bytes name;
  switch (effect.space) {
    case Space::records: name = decode_key(order_, effect.key); break;
    case Space::indexes: {
      TRY(IndexEntry entry, decode_index_entry(order_, effect.key));
      name = std::move(entry.primary);
      break;
    }
    case Space::shadows: {
      TRY(Shadow shadow, decode_shadow_key(effect.key));
      name = std::move(shadow.key);
      break;
    }
    case Space::expiries: {
      TRY(Expiry expiry, decode_expiry_key(effect.key));
      name = std::move(expiry.key);
      break;
    }
    default: return true;   // every child's
  }
  const auto owner = ownership.children.find(name);
  return owner == ownership.children.end() || owner->second == self_;
}

bool EntrySplit::tells_of(BytesView encoded_key) const {
  const std::uint32_t hash = key_hash(decode_key(order_, encoded_key));
  const auto found = std::ranges::find_if(children_, [hash](const HashRange& each) { return each.contains(hash); });
  return static_cast<std::size_t>(found == children_.end() ? 0 : found - children_.begin()) == self_;
}

}  // namespace skerry::store
