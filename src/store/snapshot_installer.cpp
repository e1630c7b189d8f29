// SPDX-License-Identifier: Apache-2.0
#include "store/snapshot_installer.hpp"

#include <fmt/format.h>

#include "base/assert.hpp"

namespace skerry::store {

SnapshotInstaller::SnapshotInstaller(ShardEngine& engine, std::optional<ShardId> shard, KeyOrder order)
    : engine_(engine), shard_(shard), order_(order) {
  engine_.stage_anew();
}

Result<> SnapshotInstaller::take(BytesView block) {
  writes_.clear();
  TRYV(reader_.take(block, [this](Space space, BytesView key, BytesView value) -> Result<> {
    writes_.push_back({Write::Kind::put, space, key, value});
    return bookkeeping_.take(space, key, value);
  }));
  if (reader_.place().blocks == 1) TRYV(check_head());
  if (!writes_.empty()) engine_.stage(writes_);
  return {};
}

Result<> SnapshotInstaller::check_head() const {
  const SnapshotHead& head = reader_.head();
  if (shard_ && head.shard != *shard_) {
    return fail(Errc::invalid_argument,
                fmt::format("the snapshot is of shard {}, not of {}", head.shard.value(), shard_->value()));
  }
  if (head.order != order_) {
    return fail(Errc::invalid_argument,
                fmt::format("the snapshot of shard {} sorts its keys in another order", head.shard.value()));
  }
  if (head.offset < Offset(0))
    return fail(Errc::corrupt, fmt::format("the snapshot of shard {} stands for no entry", head.shard.value()));
  return {};
}

Task<Result<>> SnapshotInstaller::finish() {
  SKERRY_ASSERT(whole());
  return engine_.finish_staging(head().offset);
}

}   // namespace skerry::store
