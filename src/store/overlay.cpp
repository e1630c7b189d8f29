// SPDX-License-Identifier: Apache-2.0
#include "store/overlay.hpp"

#include <algorithm>

namespace skerry::store {

bool Overlay::empty() const {
  return ranges_.empty() && std::all_of(std::begin(points_), std::end(points_), [](const auto& p) { return p.empty(); });
}

void Overlay::clear() {
  for (OverlayPoints& points : points_) points.clear();
  ranges_.clear();
}

void Overlay::put(Space space, BytesView key, BytesView value, Offset offset) {
  own(space).put(OverlayChange::make(key, value, offset));
}

void Overlay::erase(Space space, BytesView key, Offset offset) { own(space).put(OverlayChange::make(key, std::nullopt, offset)); }

void Overlay::erase_range(Bytes start, Bytes end, Offset offset) {
  own(Space::records).erase_range(start, end);
  ranges_.push_back({offset, std::move(start), std::move(end)});
}

Overlay::Seen Overlay::find(Space space, BytesView key, BytesView& value) const {
  if (const OverlayChange* change = points(space).find(key)) {
    if (!change->value()) return Seen::erased;
    value = *change->value();
    return Seen::value;
  }
  return hiding(space, key) ? Seen::erased : Seen::nothing;
}

const Overlay::ErasedRange* Overlay::hiding(Space space, BytesView key) const {
  if (space != Space::records || ranges_.empty() || points(space).find(key) != nullptr) return nullptr;
  const auto at =
      std::find_if(ranges_.begin(), ranges_.end(), [key](const ErasedRange& r) { return r.start <= key && key < r.end; });
  return at == ranges_.end() ? nullptr : &*at;
}

void Overlay::absorb(Overlay&& newer) {
  for (ErasedRange& range : newer.ranges_) erase_range(std::move(range.start), std::move(range.end), range.offset);
  newer.ranges_.clear();
  for (std::size_t space = 0; space < std::size(points_); ++space) newer.points_[space].drain(points_[space]);
}

void Overlay::settle(std::span<const Write> writes, Offset offset) {
  for (const Write& write : writes) {
    if (write.kind != Write::Kind::erase_range) own(write.space).settle(write.key, offset);
  }
  std::erase_if(ranges_, [offset](const ErasedRange& range) { return range.offset <= offset; });
}

}  // namespace skerry::store
