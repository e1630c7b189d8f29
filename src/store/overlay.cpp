// SPDX-License-Identifier: Apache-2.0
#include "store/overlay.hpp"

#include <algorithm>

namespace skerry::store {

bool Overlay::empty() const {
  return ranges_.empty() && std::all_of(std::begin(points_), std::end(points_), [](const Points& p) { return p.empty(); });
}

void Overlay::clear() {
  for (Points& points : points_) points.clear();
  ranges_.clear();
}

void Overlay::put(Space space, Bytes key, Bytes value, Offset offset) {
  own(space).insert_or_assign(std::move(key), Change{offset, std::move(value)});
}

void Overlay::erase(Space space, Bytes key, Offset offset) {
  own(space).insert_or_assign(std::move(key), Change{offset, std::nullopt});
}

void Overlay::erase_range(Bytes start, Bytes end, Offset offset) {
  Points& records = own(Space::records);
  records.erase(records.lower_bound(start), records.lower_bound(end));
  ranges_.push_back({offset, std::move(start), std::move(end)});
}

Overlay::Seen Overlay::find(Space space, BytesView key, BytesView& value) const {
  const Points& known = points(space);
  if (const auto at = known.find(key); at != known.end()) {
    if (!at->second.value) return Seen::erased;
    value = *at->second.value;
    return Seen::value;
  }
  return hiding(space, key) ? Seen::erased : Seen::nothing;
}

const Overlay::ErasedRange* Overlay::hiding(Space space, BytesView key) const {
  if (space != Space::records || ranges_.empty() || points(space).contains(key)) return nullptr;
  const auto at =
      std::find_if(ranges_.begin(), ranges_.end(), [key](const ErasedRange& r) { return r.start <= key && key < r.end; });
  return at == ranges_.end() ? nullptr : &*at;
}

void Overlay::absorb(Overlay&& newer) {
  for (ErasedRange& range : newer.ranges_) erase_range(std::move(range.start), std::move(range.end), range.offset);
  for (std::size_t space = 0; space < std::size(points_); ++space) {
    Points& into = points_[space];
    for (auto at = newer.points_[space].begin(); at != newer.points_[space].end();) {
      auto node = newer.points_[space].extract(at++);
      const auto place = into.lower_bound(node.key());
      if (place != into.end() && place->first == node.key()) {
        place->second = std::move(node.mapped());
      } else {
        into.insert(place, std::move(node));
      }
    }
  }
  newer.clear();
}

void Overlay::settle(std::span<const Write> writes, Offset offset) {
  for (const Write& write : writes) {
    if (write.kind == Write::Kind::erase_range) continue;
    Points& known = own(write.space);
    if (const auto at = known.find(write.key); at != known.end() && at->second.offset <= offset) known.erase(at);
  }
  std::erase_if(ranges_, [offset](const ErasedRange& range) { return range.offset <= offset; });
}

}  // namespace skerry::store
