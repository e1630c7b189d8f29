// SPDX-License-Identifier: Apache-2.0
#include "replica/snapshot_reception.hpp"

#include <fmt/format.h>

namespace skerry::replica {

Task<Result<>> SnapshotReception::take(Bytes head, ArrivingSnapshot& blocks) {
  const std::uint64_t attempt = ++attempts_;
  CO_TRYV(check(attempt));
  CO_TRYV(begin(std::move(head)));
  CO_TRYV(co_await blocks.go_on(installer_->place()));
  CO_TRYV(check(attempt));
  while (!installer_->whole()) {
    co_await wait_for_room();
    CO_TRYV(check(attempt));
    CO_TRY(const Bytes block, co_await blocks.next());
    CO_TRYV(check(attempt));
    if (auto taken = installer_->take(block); !taken) {
      drop();
      co_return taken;
    }
    if (parts_.core.yield_due()) co_await parts_.core.yield();
    CO_TRYV(check(attempt));
  }
  CO_TRYV(co_await installer_->finish());
  co_return check(attempt);
}

Result<> SnapshotReception::begin(Bytes head) {
  if (installer_ && head == head_) return {};
  installer_ = std::make_unique<store::SnapshotInstaller>(parts_.engine, parts_.shard, parts_.order);
  if (auto taken = installer_->take(head); !taken) {
    drop();
    return taken;
  }
  head_ = std::move(head);
  return {};
}

Result<> SnapshotReception::check(std::uint64_t attempt) const {
  if (closed_) return fail(Errc::closed, fmt::format("shard {} is stopping", parts_.shard.value()));
  if (attempt == attempts_) return {};
  return fail(Errc::aborted, fmt::format("another snapshot of shard {} has begun to arrive", parts_.shard.value()));
}

Task<> SnapshotReception::wait_for_room() {
  while (!parts_.room.any() && !closed_) co_await parts_.core.sleep_for(10ms);
}

void SnapshotReception::end() {
  ++attempts_;
  installer_.reset();
}

void SnapshotReception::drop() {
  ++attempts_;
  if (!installer_) return;
  installer_.reset();
  parts_.engine.stage_anew();
}

void SnapshotReception::close() { closed_ = true; }

}   // namespace skerry::replica
