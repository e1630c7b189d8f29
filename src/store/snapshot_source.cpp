// SPDX-License-Identifier: Apache-2.0
#include "store/snapshot_source.hpp"

#include "base/hash.hpp"
#include "runtime/core.hpp"

namespace skerry::store {
namespace {

SnapshotHead with_offset(SnapshotHead head, Offset offset) {
  head.offset = offset;
  return head;
}

}  // namespace

SnapshotSource::SnapshotSource(ShardEngine& engine, SnapshotHead head)
    : head_(with_offset(head, engine.applied())), head_payload_(encode_head(head_)), mark_(crc32c(head_payload_)) {
  for (std::uint8_t space = 1; space < space_count; ++space) cursors_.emplace_back(Space{space}, engine.cursor(Space{space}));
}

void SnapshotSource::go_on(const SnapshotPlace& taken) {
  place_ = taken;
  ended_ = stands_ = false;
  at_ = 0;
  while (at_ + 1 < cursors_.size() && cursors_[at_].first < taken.space) ++at_;
}

Task<Result<std::optional<Bytes>>> SnapshotSource::next() {
  if (ended_) co_return std::nullopt;
  if (place_.blocks == 0) co_return block(BlockKind::head, head_payload_);
  Bytes payload;
  CO_TRYV(co_await fill(payload));
  if (!payload.empty()) {
    place_.crc = crc32c(payload, place_.crc);
    co_return block(BlockKind::records, payload);
  }
  ended_ = true;
  co_return block(BlockKind::end, end());
}

Task<Result<>> SnapshotSource::fill(Bytes& payload) {
  Core& core = Core::of(co_await asio::this_coro::executor);
  for (; at_ < cursors_.size(); ++at_, stands_ = false) {
    auto& [space, cursor] = cursors_[at_];
    if (!std::exchange(stands_, true)) {
      const bool in_the_middle = space == place_.space;
      cursor->seek(in_the_middle ? place_.key + '\0' : Bytes());
    }
    for (;;) {
      if (core.yield_due()) co_await core.yield();
      while (cursor->state() == Cursor::State::cold) CO_TRYV(co_await cursor->load());
      if (cursor->state() == Cursor::State::failed) co_return fail(cursor->error());
      if (cursor->state() == Cursor::State::end) break;
      if (payload.size() >= block_bytes_wanted) co_return Result<>{};
      payload.push_back(static_cast<char>(space));
      append_sized(payload, cursor->key());
      append_sized(payload, cursor->value());
      place_.space = space;
      place_.key.assign(cursor->key());
      ++place_.records;
      cursor->next();
    }
  }
  co_return Result<>{};
}

Bytes SnapshotSource::block(BlockKind kind, BytesView payload) {
  return encode_block({kind, place_.blocks++, payload}, kind == BlockKind::head ? 0 : mark_);
}

Bytes SnapshotSource::end() const {
  Bytes payload;
  append_varint(payload, place_.records);
  append_varint(payload, place_.crc);
  return payload;
}

}   // namespace skerry::store
