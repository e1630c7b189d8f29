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
      value_bytes_(static_cast<std::uint32_t>(value ? value->size() : 0)), erases_(!value) {
  char* const behind = reinterpret_cast<char*>(this + 1);
  key.copy(behind, key.size());
  if (value) value->copy(behind + key.size(), value->size());
}

OverlayChange::Ptr OverlayChange::make(BytesView key, std::optional<BytesView> value, Offset offset) {
  void* const room = ::operator new(sizeof(OverlayChange) + key.size() + (value ? value->size() : 0));
  return Ptr(new (room) OverlayChange(key, value, offset));
}

const OverlayChange* OverlayPoints::find(BytesView key) const {
  const auto at = changes_.find(key);
  return at == changes_.end() ? nullptr : *at;
}

void OverlayPoints::put(OverlayChange::Ptr change) {
  if (const auto at = changes_.find(change->key()); at != changes_.end()) erase(**at);
  if (ordered_) ordered_->emplace(change->key(), change.get());
  changes_.insert(change.release());
}

void OverlayPoints::erase(const OverlayChange& change) {
  if (ordered_) ordered_->erase(change.key());
  const auto at = changes_.find(change.key());
  const OverlayChange::Ptr freed(*at);
  changes_.erase(at);
  if (changes_.empty()) ordered_.reset();
}

void OverlayPoints::erase_range(BytesView start, BytesView end) {
  if (changes_.empty() || start >= end) return;
  std::vector<const OverlayChange*> inside;
  const Ordered& all = ordered();
  for (auto at = all.lower_bound(start); at != all.end() && at->first < end; ++at) inside.push_back(at->second);
  for (const OverlayChange* change : inside) erase(*change);   // the order goes with the last of them
}

void OverlayPoints::clear() {
  ordered_.reset();
  for (OverlayChange* change : changes_) const OverlayChange::Ptr freed(change);
  changes_.clear();
}

void OverlayPoints::drain(OverlayPoints& into) {
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
