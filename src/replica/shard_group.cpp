// SPDX-License-Identifier: Apache-2.0
#include "replica/shard_group.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hpp"
#include "runtime/core.hpp"
#include "runtime/join.hpp"

namespace skerry::replica {

ShardGroup::ShardGroup(Core& core, disk::Log& log, store::Engine& engine, ShardGroupOptions options)
    : core_(core), log_(log), engine_(engine), options_(options), stopped_(core), tasks_(core), stops_(core) {
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

Shard* ShardGroup::find_retired(ShardId id) const {
  const auto found = std::ranges::find(retired_, id, [](const auto& each) { return each->id(); });
  return found == retired_.end() ? nullptr : found->get();
}

Task<> ShardGroup::retire(ShardId id) {
  if (const auto open = shards_.find(id); open != shards_.end()) {
    Shard& shard = *retired_.emplace_back(std::move(open->second));
    shards_.erase(open);
    ++changes_;
    stopping_.insert(id);
    stops_.spawn(stop_retired(shard));
  }
  while (stopping_.contains(id)) co_await stopped_.wait();
}

Task<> ShardGroup::stop_retired(Shard& shard) {
  const ShardId id = shard.id();
  co_await shard.stop();
  stopping_.erase(id);
  stopped_.wake_all();
}

Task<Result<>> ShardGroup::retire_all(Deadline deadline) {
  while (!shards_.empty()) co_await retire(shards_.begin()->first);
  while (!stopping_.empty()) co_await stopped_.wait();
  std::vector<std::shared_ptr<ShardUses>> left;
  for (const auto& shard : retired_) left.push_back(shard->uses());
  for (const auto& uses : left) {
    if (uses->any()) co_await run_until(core_, Shard::wait_unused(uses), deadline);
    if (uses->any()) co_return fail(Errc::deadline_exceeded, "requests to its shards still run");
  }
  co_return Result<>{};
}

Task<Result<>> ShardGroup::forget(ShardId id, Deadline deadline) {
  while (const Shard* retired = find_retired(id)) {
    if (retired->in_use()) co_await run_until(core_, Shard::wait_unused(retired->uses()), deadline);
    retired = find_retired(id);   // it may be gone
    if (retired != nullptr && retired->in_use()) {
      co_return fail(Errc::deadline_exceeded, fmt::format("requests to shard {}, which was deleted, still run", id.value()));
    }
    std::erase_if(retired_, [retired](const auto& each) { return each.get() == retired; });
  }
  if (find(id) != nullptr)
    co_return fail(Errc::aborted, fmt::format("shard {} was opened while it was to be deleted", id.value()));
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
  co_await stops_.join();
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
