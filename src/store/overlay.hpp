// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "store/engine.hpp"
#include "store/overlay_points.hpp"

namespace skerry::store {

// Changes that are not in the engine yet, as evaluation needs them: a layer over the engine's state. A shard has one for all
// that is proposed and not yet committed, and each evaluation one of its own that joins it at the end or is thrown away.
// Of a record only the header is kept, since evaluation never looks at values.
class Overlay {
 public:
  struct ErasedRange {   // of records
    Offset offset;
    Bytes start, end;
  };
  enum class Seen : std::uint8_t { nothing, erased, value };

  bool empty() const;
  void clear();
  void put(Space space, BytesView key, BytesView value, Offset offset);
  void erase(Space space, BytesView key, Offset offset);
  void erase_range(Bytes start, Bytes end, Offset offset);

  // What this layer says of a key; `value` is valid until the next change.
  Seen find(Space space, BytesView key, BytesView& value) const;
  // The erased range that hides `key`, if it is hidden by one.
  const ErasedRange* hiding(Space space, BytesView key) const;
  const OverlayPoints& points(Space space) const { return points_[static_cast<std::size_t>(space)]; }

  // Takes over the changes of a layer above this one.
  void absorb(Overlay&& newer);
  // Entry `offset` is in the engine now: forgets what it alone decided. Entries settle in order.
  void settle(std::span<const Write> writes, Offset offset);

 private:
  OverlayPoints& own(Space space) { return points_[static_cast<std::size_t>(space)]; }

  OverlayPoints points_[space_count];
  // Points inside a range are younger than it. In order of offset; few, so they are searched one by one.
  std::vector<ErasedRange> ranges_;
};

}  // namespace skerry::store
