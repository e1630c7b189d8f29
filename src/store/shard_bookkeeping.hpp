// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>

#include "store/engine.hpp"
#include "store/layout.hpp"

namespace skerry::store {

// What a state machine keeps in memory of its shard's state, gathered from its records: when a shard is opened, or as a whole new
// state arrives. Counters are those of an empty shard until theirs comes.
struct ShardBookkeeping {
  Counters counters;
  std::map<SessionId, SessionRecord> sessions;
  Term term = no_term;   // of the last barrier
  Stamp swept;

  // A record of any space; those that don't concern it are passed over. Fails with corrupt.
  Result<> take(Space space, BytesView key, BytesView value);
};

}   // namespace skerry::store
