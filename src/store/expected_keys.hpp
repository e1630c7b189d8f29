// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <span>

#include "store/shard_state.hpp"

namespace skerry::store {

// As many as the nearest cache can hold what their lookups touch.
constexpr std::size_t expected_keys_max = 32;

// Tells the engine which users' keys are looked up next, at most expected_keys_max of them.
void expect_records(ShardState& state, std::span<const BytesView> keys);

}  // namespace skerry::store
