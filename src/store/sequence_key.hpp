// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <span>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace skerry::store {

// Keys that the shard makes: a prefix and, for each delta, "-%020d" of the last key's part plus the delta.

constexpr std::size_t sequence_part_bytes = 21;

// Every key of the sequence lies strictly below it.
Bytes sequence_search_bound(BytesView prefix);
// Whether `key` starts as the sequence's keys do; what follows may still be anything.
bool is_below_sequence(BytesView prefix, BytesView key);
// Whether a sequence of this prefix may have made `key`.
bool is_sequence_key(BytesView prefix, BytesView key);
// Fails with invalid_argument where the last key under the prefix was not made by such a sequence, has more parts than there are
// deltas, or where a part would run over. Requires: at least one delta, the first above 0.
Result<Bytes> make_sequence_key(BytesView prefix, std::span<const std::uint64_t> deltas, const std::optional<Bytes>& last_key);

}  // namespace skerry::store
