// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "store/evaluator.hpp"

namespace skerry::store {
namespace {

// What one entry may delete and look up at once; the rest follows in further entries.
constexpr std::size_t expire_records_max = 2'000;   // some 20 ms
constexpr std::size_t expire_bytes_max = 4 << 20;

}  // namespace

bool Evaluator::expire() {
  next_expiry_ = std::numeric_limits<std::uint64_t>::max();
  std::size_t records_left = expire_records_max;
  for (auto key = key_from(Space::expiries, {}); key; key = key_from(Space::expiries, *std::move(key) + '\0')) {
    const auto expiry = decode_expiry_key(*key);
    if (!expiry) return refuse(expiry.error()), false;
    if (expiry->due_millis > stamp_.millis()) {
      next_expiry_ = expiry->due_millis;
      return false;
    }
    if (records_left == 0 || effects_.size() > expire_bytes_max) {
      next_expiry_ = expiry->due_millis;
      return true;
    }
    --records_left;
    erase_due(*key, *expiry);
  }
  return false;
}

void Evaluator::erase_due(BytesView expiry_key, const Expiry& expiry) {
  const auto owner = find(Space::expiries, expiry_key);
  if (!owner) return;
  const auto stamp = decode_owner(*owner);
  if (!stamp) return refuse(stamp.error());
  const Bytes encoded = encode_key(state_.order, expiry.key);
  const auto record = find_record(encoded);
  if (record && record->modified == *stamp && record->expires_millis == expiry.due_millis) {
    erase_record(expiry.key, encoded, *record);
  } else {
    stage_erase(Space::expiries, Bytes(expiry_key));   // a range deletion took its record
  }
}

}  // namespace skerry::store
