// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <span>

#include "base/result.hpp"
#include "store/record.hpp"

namespace skerry::store {

// The hashes that a shard is responsible for, both ends inclusive.
struct HashRange {
  std::uint32_t min = 0, max = UINT32_MAX;
  constexpr bool contains(std::uint32_t hash) const { return min <= hash && hash <= max; }
  friend constexpr bool operator==(const HashRange&, const HashRange&) = default;
};

// Which of the children, none of whose hashes overlap, the record belongs to: by the hash of its partition key, or of its key
// where it has none. Fails with ReshapeError::foreign_records.
Result<std::size_t> owner_of(std::span<const HashRange> children, BytesView key, const RecordView& record);

}   // namespace skerry::store
