// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>

#include "store/engine.hpp"
#include "store/layout.hpp"
#include "store/overlay.hpp"
#include "store/record.hpp"

namespace skerry::store {

// What a shard's state machine knows beside its engine. Owned by StateMachine, changed by apply and by evaluations that succeed.
struct ShardState {
  ShardId shard;
  KeyOrder order;
  ShardEngine& engine;

  Counters committed;
  std::map<SessionId, SessionRecord> sessions;   // committed
  Term term = no_term;                           // of the last barrier applied
  Stamp swept;

  Overlay in_flight;
  Counters tail;                     // committed, or as of the last entry in flight
  Offset evaluated = no_offset;      // the last entry in flight
  // No committed record is due to go before this, in milliseconds since the epoch. 0: look.
  std::uint64_t next_expiry = 0;

  struct Sweep {   // where the next step of cleaning up goes on
    bool running = false;
    Space space{};
    Bytes from;
    Stamp covers;                    // range deletions up to here were applied when the walk began
    Stamp requests_swept;            // when remembered replies were last walked over
  } sweep;
};

}  // namespace skerry::store
