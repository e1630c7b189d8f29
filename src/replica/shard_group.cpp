// SPDX-License-Identifier: Apache-2.0
#include "replica/shard_group.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hpp"
#include "runtime/core.hpp"
#include "runtime/join.hpp"

namespace skerry::replica {

ShardGroup::ShardGroup(Core& core, disk::Log& log, store::Engine& engine, ShardGroupOptions options)
    : core_(core), log_(log), engine_(engine), options_(options), tasks_(core) {
  engine_.set_listener(this);
}

ShardGroup::~ShardGroup() { engine_.set_listener(nullptr); }

Task<Result<Shard*>> ShardGroup::open(ShardId id, ShardOptions options) {
  if (find(id) != nullptr) co_return fail(Errc::already_exists, fmt::format("shard {} is open already", id.value()));
  CO_TRY(store::ShardEngine * state, engine_.shard(id));
  if (!options.engine_health) options.engine_health = [this] { return engine_.health(); };
  options.engine = &engine_;
  options.checkpoint = [this] { return checkpoint(); };
  options.changes = &changes_;
  CO_TRY(auto shard, co_await Shard::open(core_, log_, *state, id, std::move(options)));
  ++changes_;
  co_return shards_.emplace(id, std::move(shard)).first->second.get();
}

void ShardGroup::start() {
  tasks_.spawn(checkpoint_loop());
  tasks_.spawn(trim_loop());
  tasks_.spawn(expiry_loop());
}

Shard* ShardGroup::find(ShardId id) {
  const auto found = shards_.find(id);
  return found == shards_.end() ? nullptr : found->second.get();
}

Task<> ShardGroup::retire(ShardId id) {
  const auto open = shards_.find(id);
  if (open == shards_.end()) co_return;
  Shard& shard = *retired_.emplace_back(std::move(open->second));
  shards_.erase(open);
  ++changes_;
  co_await shard.stop();
}

Task<Result<>> ShardGroup::retire_all(Deadline deadline) {
  while (!shards_.empty()) co_await retire(shards_.begin()->first);
  for (std::size_t at = 0; at < retired_.size(); ++at) {
    const Shard& shard = *retired_[at];
    if (shard.in_use()) co_await run_until(core_, shard.wait_unused(), deadline);
    if (shard.in_use()) {
      co_return fail(Errc::deadline_exceeded, fmt::format("requests to shard {} still run", shard.id().value()));
    }
  }
  co_return Result<>{};
}

Task<Result<>> ShardGroup::forget(ShardId id, Deadline deadline) {
  const auto of_this_id = [id](const auto& each) { return each->id() == id; };
  if (const auto found = std::ranges::find_if(retired_, of_this_id); found != retired_.end()) {
    const Shard& shard = **found;
    if (shard.in_use()) co_await run_until(core_, shard.wait_unused(), deadline);
    if (shard.in_use()) {
      co_return fail(Errc::deadline_exceeded, fmt::format("requests to shard {}, which was deleted, still run", id.value()));
    }
    std::erase_if(retired_, of_this_id);
  }
  CO_TRYV(co_await engine_.drop(id));
  CO_TRY(const disk::Sequence sequence, log_.delete_shard(id));
  co_return co_await log_.wait_synced(sequence);
}

Task<Result<>> ShardGroup::checkpoint() {
  auto done = co_await engine_.checkpoint();
  if (!done && !engine_.health()) stop_writes(done.error());   // else it will be tried again
  co_return done;
}

Task<Result<>> ShardGroup::stop() {
  co_await tasks_.cancel_and_join();
  for (const auto& [id, shard] : shards_) co_await shard->stop();
  co_return co_await engine_.checkpoint();
}

void ShardGroup::stop_writes(const Error& reason) {
  for (const auto& [id, shard] : shards_) shard->stop_writes(reason);
}

void ShardGroup::on_room_changed() {
  for (const auto& [id, shard] : shards_) shard->room_changed();
}

Task<> ShardGroup::checkpoint_loop() {
  for (;;) {
    co_await core_.sleep_for(options_.checkpoint_interval);
    if (const auto health = engine_.health(); !health) stop_writes(health.error());
    if (checkpoint_due()) static_cast<void>(co_await checkpoint());   // a failure has stopped the writes
  }
}

bool ShardGroup::checkpoint_due() const {
  return std::ranges::any_of(shards_, [this](const auto& each) {
    const Shard& shard = *each.second;
    return shard.durable() < shard.commit() && log_.bytes_since(shard.id(), shard.durable().next()) > options_.replay_bytes_max;
  });
}

Task<> ShardGroup::expiry_loop() {
  for (;;) {
    co_await core_.sleep_for(session_tick);
    for (const auto& [id, shard] : shards_) {
      if (!shard->serves()) continue;
      shard->expire_sessions();
      shard->expire_records();
      shard->sweep();
    }
  }
}

Task<> ShardGroup::trim_loop() {
  for (;;) {
    co_await core_.sleep_for(options_.trim_interval);
    // What the engine has not made durable can't be trimmed, so a log that is too large needs a checkpoint first.
    if (log_.bytes() > options_.wal_retention_bytes) static_cast<void>(co_await checkpoint());
    for (std::size_t at = 0; at < shards_.size(); ++at) {   // by place: shards come and go meanwhile
      const ShardUse shard = std::next(shards_.begin(), static_cast<std::ptrdiff_t>(at))->second->use();
      co_await trim(*shard);
    }
  }
}

// A follower that is being sent a snapshot goes on from the log, or it would need another: unless that takes too long.
bool ShardGroup::keeps_from(const Shard& shard, Offset wanted) const {
  return log_.bytes_since(shard.id(), wanted) / limits::snapshot_log_factor <= options_.wal_retention_bytes;
}

Task<> ShardGroup::trim(Shard& shard) {
  const disk::LogShard logged = log_.shard(shard.id());
  if (logged.first == no_offset) co_return;
  const auto old = co_await shard.last_before(core_.clock().wall() -
                                              std::chrono::floor<std::chrono::milliseconds>(options_.wal_retention_time));
  if (!old) co_return;   // the log can't be read: whoever needs it will be told
  Offset last_trimmed = *old;
  // The smallest suffix of the log that fits in the budget; bytes_since falls as the offset rises.
  Offset fits = shard.commit().next(), low = std::max(logged.first, last_trimmed.next());
  while (low < fits) {
    const Offset middle(low.value() + (fits.value() - low.value()) / 2);
    if (log_.bytes_since(shard.id(), middle) > options_.wal_retention_bytes) {
      low = middle.next();
    } else {
      fits = middle;
    }
  }
  last_trimmed = std::min(std::max(last_trimmed, fits.previous()), shard.durable());
  if (const auto wanted = shard.wanted_after_snapshots(); wanted && keeps_from(shard, *wanted)) {
    last_trimmed = std::min(last_trimmed, wanted->previous());
  }
  if (last_trimmed < logged.first) co_return;
  if (log_.trim(shard.id(), last_trimmed.next())) shard.trimmed(last_trimmed.next());
}

}  // namespace skerry::replica
