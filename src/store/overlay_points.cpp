// SPDX-License-Identifier: Apache-2.0
#include "store/overlay_points.hpp"

#include <new>
#include <vector>

namespace skerry::store {

void OverlayChange::Deleter::operator()(OverlayChange* change) const {
  change->~OverlayChange();
  ::operator delete(change);
}

OverlayChange::OverlayChange(BytesView key, std::optional<BytesView> value, Offset offset)
    : offset_(offset), key_bytes_(static_cast<std::uint32_t>(key.size())),
      value_bytes_(static_cast<std::uint32_t>(value ? value->size() : 0)), hash_(key_hash(key)), erases_(!value) {
  char* const behind = reinterpret_cast<char*>(this + 1);
  key.copy(behind, key.size());
  if (value) value->copy(behind + key.size(), value->size());
}

OverlayChange::Ptr OverlayChange::make(BytesView key, std::optional<BytesView> value, Offset offset) {
  void* const room = ::operator new(sizeof(OverlayChange) + key.size() + (value ? value->size() : 0));
  return Ptr(new (room) OverlayChange(key, value, offset));
}

const OverlayChange* OverlayPoints::find(BytesView key) const {
  if (changes_.empty()) return nullptr;
  const auto at = changes_.find(key);
  return at == changes_.end() ? nullptr : *at;
}

void OverlayPoints::put(OverlayChange::Ptr change) {
  const auto [before, added] = changes_.insert(change.get());
  if (!added) {
    erase(before);
    changes_.insert(change.get());
  }
  const OverlayChange* const kept = change.release();
  if (ordered_) ordered_->emplace(kept->key(), kept);
}

void OverlayPoints::erase(Changes::iterator at) {
  const OverlayChange::Ptr freed(*at);
  if (ordered_) ordered_->erase(freed->key());
  changes_.erase(at);
  if (changes_.empty()) ordered_.reset();
}

void OverlayPoints::settle(BytesView key, Offset offset) {
  if (changes_.empty()) return;
  const auto at = changes_.find(key);
  if (at != changes_.end() && (*at)->offset() <= offset) erase(at);
}

void OverlayPoints::erase_range(BytesView start, BytesView end) {
  if (changes_.empty() || start >= end) return;
  std::vector<const OverlayChange*> inside;
  const Ordered& all = ordered();
  for (auto at = all.lower_bound(start); at != all.end() && at->first < end; ++at) inside.push_back(at->second);
  for (const OverlayChange* change : inside) erase(changes_.find(change->key()));   // the order goes with the last of them
}

void OverlayPoints::clear() {
  if (changes_.empty()) return;
  ordered_.reset();
  for (OverlayChange* change : changes_) const OverlayChange::Ptr freed(change);
  changes_.clear();
}

void OverlayPoints::drain(OverlayPoints& into) {
  if (changes_.empty()) return;
  ordered_.reset();
  for (OverlayChange* change : changes_) into.put(OverlayChange::Ptr(change));
  changes_.clear();
}

const OverlayPoints::Ordered& OverlayPoints::ordered() const {
  if (!ordered_) {
    ordered_.emplace();
    for (const OverlayChange* change : changes_) ordered_->emplace(change->key(), change);
  }
  return *ordered_;
}

}  // namespace skerry::store
