// SPDX-License-Identifier: Apache-2.0
#include "store/shard_bookkeeping.hpp"

namespace skerry::store {

Result<> ShardBookkeeping::take(Space space, BytesView key, BytesView value) {
  if (space == Space::sessions) {
    TRY(const SessionId id, decode_session_key(key));
    TRY(sessions[id], decode_session(value));
  } else if (space == Space::meta && key == meta_counters) {
    TRY(counters, decode_counters(value));
  } else if (space == Space::meta && key == meta_term) {
    TRY(term, decode_term(value));
  } else if (space == Space::meta && key == meta_swept) {
    TRY(swept, decode_swept(value));
  }
  return {};
}

}   // namespace skerry::store
