// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "store/shard_state.hpp"
#include "store/state_machine.hpp"

namespace skerry::store {

// The walk that fits the range: over records, over an index, or over records and the internal view. `state` must outlive it.
std::unique_ptr<Scan> make_scan(const ShardState& state, Range range, StateMachine::ScanKind kind);

}  // namespace skerry::store
