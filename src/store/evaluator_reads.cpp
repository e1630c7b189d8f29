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
  switch (state_.engine.try_get(space, key, found_)) {
    case Lookup::value: return found_;
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
  return staged_.points(space).contains(key) || state_.in_flight.points(space).contains(key);
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

std::optional<Bytes> Evaluator::cursor_key(Space space, BytesView bound, Need::Kind kind) {
  auto& cursor = cursors_[static_cast<std::size_t>(space)];
  if (!cursor) cursor = state_.engine.cursor(space);
  kind == Need::Kind::below ? cursor->seek_below(bound) : cursor->seek(bound);
  switch (cursor->state()) {
    case Cursor::State::record: return Bytes(cursor->key());
    case Cursor::State::end: return std::nullopt;
    case Cursor::State::cold: need(kind, space, bound); return std::nullopt;
    case Cursor::State::failed: refuse(cursor->error()); return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Bytes> Evaluator::key_below(Space space, Bytes bound) {
  for (;;) {
    std::optional<Bytes> best = cursor_key(space, bound, Need::Kind::below);
    for (const Overlay* layer : layers()) {
      const auto& points = layer->points(space);
      const auto at = points.lower_bound(bound);
      if (at != points.begin() && (!best || std::prev(at)->first > *best)) best = std::prev(at)->first;
    }
    const Overlay::ErasedRange* by = nullptr;
    if (!best || !hidden(space, *best, by)) return best;
    bound = by ? by->start : *std::move(best);
  }
}

std::optional<Bytes> Evaluator::key_from(Space space, Bytes bound) {
  for (;;) {
    std::optional<Bytes> best = cursor_key(space, bound, Need::Kind::at_or_above);
    for (const Overlay* layer : layers()) {
      const auto& points = layer->points(space);
      const auto at = points.lower_bound(bound);
      if (at != points.end() && (!best || at->first < *best)) best = at->first;
    }
    const Overlay::ErasedRange* by = nullptr;
    if (!best || !hidden(space, *best, by)) return best;
    if (by) {
      bound = by->end;
    } else {
      bound = *std::move(best);
      bound += '\0';
    }
  }
}

}  // namespace skerry::store
