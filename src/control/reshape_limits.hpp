// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "base/time.hpp"

// Of splitting and merging: docs/adr/0017.
namespace skerry::limits {

constexpr auto reshape_prepare_patience = 10s;   // with one call that prepares; the node goes on, and is asked again
constexpr auto reshape_prepare_max = 30min;   // with all nodes; then a majority that has prepared is enough
constexpr auto reshape_seal_patience = 10s;   // with parents that are to come to an end of their writes
constexpr auto reshape_copy_patience = 10s;   // with one call that finishes a copy
constexpr auto reshape_patience = 30s;   // with copies on a majority, while no writes are taken
constexpr auto reshape_retry_pause = 50ms, reshape_refused_pause = 500ms;
constexpr int reshape_refusals_max = 5;   // to prepare, of one node
constexpr std::int64_t shard_ids_max = std::int64_t{1} << 19;   // see ShardId

}   // namespace skerry::limits
