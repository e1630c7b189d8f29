// SPDX-License-Identifier: Apache-2.0
#include "replica/state_restorer.hpp"

#include "runtime/core.hpp"

namespace skerry::replica {

StateRestorer::StateRestorer(Parts parts, store::ShardEngine& state)
    : parts_(parts), installer_(state, std::nullopt, parts.order) {}

Result<std::unique_ptr<StateRestorer>> StateRestorer::make(Parts parts) {
  TRY(store::ShardEngine* const state, parts.engine.shard(parts.shard));
  return std::unique_ptr<StateRestorer>(new StateRestorer(parts, *state));
}

Task<Result<std::optional<StateRestorer::Restored>>> StateRestorer::take(Bytes block) {
  CO_TRYV(co_await wait_for_room());
  CO_TRYV(installer_.take(block));
  if (!installer_.whole()) co_return std::nullopt;
  CO_TRYV(co_await installer_.finish());
  const store::SnapshotHead& head = installer_.head();
  CO_TRY(const disk::Sequence sequence, parts_.log.snapshot_installed(parts_.shard, head.term, head.offset));
  CO_TRYV(co_await parts_.log.wait_synced(sequence));
  co_return Restored{head.term, installer_.place().records};
}

Task<Result<>> StateRestorer::wait_for_room() {
  while (!parts_.engine.has_room()) {
    if (auto obstacle = parts_.engine.obstacle()) co_return fail(*std::move(obstacle));
    co_await parts_.core.sleep_for(10ms);
  }
  co_return parts_.engine.health();
}

}   // namespace skerry::replica
