// SPDX-License-Identifier: Apache-2.0
#include "store/evaluator.hpp"

#include <algorithm>

#include "base/limits.hpp"

namespace skerry::store {
namespace {

// What ending sessions may put into one entry and look up at once; the rest follows in further entries.
constexpr std::size_t end_records_max = 2'000;   // some 20 ms
constexpr std::size_t end_bytes_max = 4 << 20;

}  // namespace

bool Evaluator::end_sessions(std::span<const SessionId> sessions) {
  std::vector<SessionId> ending(sessions.begin(), sessions.end());
  std::sort(ending.begin(), ending.end());
  ending.erase(std::unique(ending.begin(), ending.end()), ending.end());
  std::size_t records_left = end_records_max;
  bool more = false;
  for (const SessionId session : ending) more |= end_session(session, records_left);
  return more;
}

bool Evaluator::end_session(SessionId session, std::size_t& records_left) {
  auto record = find_session(session);
  if (!record) return false;
  const Bytes prefix = session_key(session);
  for (auto key = key_from(Space::shadows, prefix); key && key->starts_with(prefix);
       key = key_from(Space::shadows, *std::move(key) + '\0')) {
    if (records_left == 0 || effects_.size() > end_bytes_max) {
      if (!record->ending) {
        record->ending = true;
        stage_put(Space::sessions, prefix, encode_session(*record));
      }
      return true;
    }
    --records_left;
    erase_shadowed(*key, session);
  }
  stage_erase(Space::sessions, prefix);
  return false;
}

void Evaluator::erase_shadowed(BytesView key, SessionId session) {
  const auto shadow = decode_shadow_key(key);
  if (!shadow) return refuse(shadow.error());
  const auto owner = find(Space::shadows, key);
  if (!owner) return;
  const auto stamp = decode_owner(*owner);
  if (!stamp) return refuse(stamp.error());
  const Bytes encoded = encode_key(state_.order, shadow->key);
  const auto record = find_record(encoded);
  if (record && record->session == session && record->modified == *stamp) {
    erase_record(shadow->key, encoded, *record);
  } else {
    stage_erase(Space::shadows, Bytes(key));   // a range deletion took its record
  }
}

}  // namespace skerry::store
