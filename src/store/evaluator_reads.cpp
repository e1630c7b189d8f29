// SPDX-License-Identifier: Apache-2.0
#include "store/evaluator.hpp"

namespace skerry::store {

void Evaluator::need(Need::Kind kind, Space space, BytesView key) { needs_.push_back({kind, space, Bytes(key)}); }

void Evaluator::refuse(Error error) {
  if (!refusal_) refusal_ = std::move(error);
}

std::optional<BytesView> Evaluator::find(Space space, BytesView key) {
  BytesView value;
  for (const Overlay* layer : layers()) {
    switch (layer->find(space, key, value)) {
      case Overlay::Seen::value: return value;
      case Overlay::Seen::erased: return std::nullopt;
      case Overlay::Seen::nothing: break;
    }
  }
  switch (state_.engine.find(space, key, value)) {
    case Lookup::value: return value;
    case Lookup::absent: return std::nullopt;
    case Lookup::cold: need(Need::Kind::key, space, key); return std::nullopt;
  }
  return std::nullopt;
}

std::optional<RecordView> Evaluator::find_record(BytesView encoded_key) {
  const auto encoded = find(Space::records, encoded_key);
  if (!encoded) return std::nullopt;
  const auto record = decode_record(*encoded);
  if (!record) return refuse(record.error()), std::nullopt;
  return *record;
}

std::optional<SessionRecord> Evaluator::find_session(SessionId session) {
  const Bytes key = session_key(session);
  BytesView value;
  for (const Overlay* layer : layers()) {
    const auto seen = layer->find(Space::sessions, key, value);
    if (seen == Overlay::Seen::erased) return std::nullopt;
    if (seen == Overlay::Seen::nothing) continue;
    auto record = decode_session(value);
    if (!record) return refuse(record.error()), std::nullopt;
    return *std::move(record);
  }
  const auto at = state_.sessions.find(session);
  return at == state_.sessions.end() ? std::nullopt : std::optional(at->second);
}

bool Evaluator::in_flight_or_staged(Space space, BytesView key) const {
  return staged_.points(space).find(key) != nullptr || state_.in_flight.points(space).find(key) != nullptr;
}

bool Evaluator::hidden(Space space, BytesView key, const Overlay::ErasedRange*& by) const {
  BytesView value;
  for (const Overlay* layer : layers()) {
    const auto seen = layer->find(space, key, value);
    if (seen == Overlay::Seen::nothing) continue;
    by = layer->hiding(space, key);
    return seen == Overlay::Seen::erased;
  }
  return false;
}

// The nearest key of the engine that nothing above it hides; past an erased range in one step.
std::optional<Bytes> Evaluator::engine_key(Space space, Bytes bound, Need::Kind kind) {
  auto& cursor = cursors_[static_cast<std::size_t>(space)];
  if (!cursor) cursor = state_.engine.cursor(space);
  const bool below = kind == Need::Kind::below;
  for (;;) {
    below ? cursor->seek_below(bound) : cursor->seek(bound);
    if (cursor->state() == Cursor::State::cold) need(kind, space, bound);
    if (cursor->state() == Cursor::State::failed) refuse(cursor->error());
    if (cursor->state() != Cursor::State::record) return std::nullopt;
    const Overlay::ErasedRange* by = nullptr;
    if (!hidden(space, cursor->key(), by)) return Bytes(cursor->key());
    if (by) {
      bound = below ? by->start : by->end;
    } else {
      bound = Bytes(cursor->key());
      if (!below) bound += '\0';
    }
  }
}

std::optional<Bytes> Evaluator::key_below(Space space, const Bytes& bound) {
  std::optional<Bytes> best = engine_key(space, bound, Need::Kind::below);
  const Overlay::ErasedRange* by = nullptr;
  for (const Overlay* layer : layers()) {
    if (layer->points(space).empty()) continue;
    const auto& points = layer->points(space).ordered();
    for (auto at = points.lower_bound(bound); at != points.begin();) {
      --at;
      if (best && at->first <= *best) break;
      if (!hidden(space, at->first, by)) best = at->first;
    }
  }
  return best;
}

std::optional<Bytes> Evaluator::key_from(Space space, const Bytes& bound) {
  std::optional<Bytes> best = engine_key(space, bound, Need::Kind::at_or_above);
  const Overlay::ErasedRange* by = nullptr;
  for (const Overlay* layer : layers()) {
    if (layer->points(space).empty()) continue;
    const auto& points = layer->points(space).ordered();
    for (auto at = points.lower_bound(bound); at != points.end() && (!best || at->first < *best); ++at)
      if (!hidden(space, at->first, by)) best = at->first;
  }
  return best;
}

}  // namespace skerry::store
