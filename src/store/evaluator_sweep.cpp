// SPDX-License-Identifier: Apache-2.0
#include "store/evaluator.hpp"

#include "base/limits.hpp"

namespace skerry::store {
namespace {

constexpr std::size_t sweep_steps_max = 512;   // entries looked at in one step

std::optional<Space> after(Space space) {
  switch (space) {
    case Space::indexes: return Space::shadows;
    case Space::shadows: return Space::expiries;
    case Space::expiries: return Space::requests;
    default: return std::nullopt;
  }
}

}  // namespace

// Walks over what is committed. What is in flight is left for the next walk: the range deletion that might orphan it is then
// younger than what this walk covers.
void Evaluator::sweep() {
  if (!sweep_.running) {
    sweep_.running = true;
    sweep_.space = Space::indexes;
    sweep_.from.clear();
    sweep_.covers = state_.committed.last_range_deletion;
  }
  std::size_t steps_left = sweep_steps_max;
  while (sweep_space(sweep_.space, steps_left)) {
    sweep_.from.clear();
    if (const auto next = after(sweep_.space)) {
      sweep_.space = *next;
      continue;
    }
    sweep_.running = false;
    sweep_.requests_swept = stamp_;
    if (state_.swept < sweep_.covers)
      append_effect({Effect::Action::put, Space::meta, std::nullopt, meta_swept, encode_swept(sweep_.covers)}, effects_);
    return;
  }
}

// Whether the space is done.
bool Evaluator::sweep_space(Space space, std::size_t& steps_left) {
  auto cursor = state_.engine.cursor(space);
  for (cursor->seek(sweep_.from); cursor->state() == Cursor::State::record; cursor->next()) {
    sweep_.from = Bytes(cursor->key());
    if (steps_left == 0) return false;
    --steps_left;
    if (in_flight_or_staged(space, sweep_.from)) continue;
    if (stale(space, sweep_.from, cursor->value())) stage_erase(space, sweep_.from);
  }
  if (cursor->state() == Cursor::State::end) return true;
  if (cursor->state() == Cursor::State::failed) {
    refuse(cursor->error());
  } else {
    need(Need::Kind::at_or_above, space, sweep_.from);
  }
  return false;
}

bool Evaluator::stale(Space space, BytesView key, BytesView value) {
  if (space == Space::requests) {
    const auto slot = decode_request_slot(value);
    if (!slot) return refuse(slot.error()), false;
    return slot->stamp.millis() + limits::request_window_age.count() < stamp_.millis();
  }
  Bytes primary;
  if (space == Space::indexes) {
    auto entry = decode_index_entry(state_.order, key);
    if (!entry) return refuse(std::move(entry).error()), false;
    primary = std::move(entry->primary);
  } else if (space == Space::expiries) {
    auto expiry = decode_expiry_key(key);
    if (!expiry) return refuse(std::move(expiry).error()), false;
    primary = std::move(expiry->key);
  } else {
    auto shadow = decode_shadow_key(key);
    if (!shadow) return refuse(std::move(shadow).error()), false;
    primary = std::move(shadow->key);
  }
  const auto owner = decode_owner(value);
  if (!owner) return refuse(owner.error()), false;
  const auto record = find_record(encode_key(state_.order, primary));
  return !record || record->modified != *owner;
}

}  // namespace skerry::store
