// SPDX-License-Identifier: Apache-2.0
#include "client/sessions.hpp"

#include <algorithm>

#include "client/alarm.hpp"
#include "oxia/client.pb.h"

namespace skerry::client {

namespace pb = io::oxia::proto::v1;

Duration heartbeat_interval(Duration timeout) { return std::min<Duration>(std::max<Duration>(2s, timeout / 10), timeout / 3); }

Sessions::Sessions(Cluster& cluster, TaskScope& tasks) : cluster_(cluster), tasks_(tasks), changed_(cluster.core()) {}

void Sessions::keep(ShardId shard, SessionId session) {
  if (!kept_.emplace(shard, session).second) return;
  note_hashes(shard);
  tasks_.spawn(keep_alive(shard, session));
  if (!std::exchange(watching_, true)) tasks_.spawn(watch_shards());
}

void Sessions::note_hashes(ShardId shard) {
  for (const ShardMap::Shard& each : cluster_.shard_ranges())
    if (each.id == shard) hashes_[shard] = {each.hash_min, each.hash_max};
}

Task<> Sessions::watch_shards() {
  for (;;) {
    co_await cluster_.changed().wait();
    follow_shards();
  }
}

// Shards that are no more have left their sessions to those that have their hashes now, under the same ids. Two that had one of
// the same id can't have been merged before it had ended in one of them, of which nothing was heard. A shard with just the hashes
// of one that is no more was made of such two.
void Sessions::follow_shards() {
  std::vector<std::pair<ShardId, SessionId>> left;
  for (const auto& each : kept_)
    if (!cluster_.has_shard(each.first)) left.push_back(each);
  if (left.empty() || !cluster_.covers_all_hashes()) return;
  std::set<std::pair<ShardId, SessionId>> taken, ended;
  for (const auto& [shard, session] : left) {
    kept_.erase({shard, session});
    const auto [min, max] = hashes_[shard];
    for (const ShardMap::Shard& heir : cluster_.shard_ranges()) {
      if (heir.hash_max < min || heir.hash_min > max) continue;
      const bool merged_back = heir.hash_min == min && heir.hash_max == max;
      if (merged_back || !taken.emplace(heir.id, session).second) ended.emplace(heir.id, session);
      keep(heir.id, session);
      sessions_.try_emplace(heir.id, Entry{session});
    }
  }
  for (const auto& [shard, session] : left) {
    hashes_.erase(shard);
    sessions_.erase(shard);
  }
  changed_.notify_all();
  for (const auto& [shard, session] : ended) lost(shard, session);
}

Task<Result<SessionId>> Sessions::session(ShardId shard, Deadline deadline) {
  for (;;) {
    follow_shards();
    const auto found = sessions_.find(shard);
    if (found == sessions_.end()) break;
    if (found->second.id) co_return *found->second.id;
    if (cluster_.core().now() >= deadline) co_return fail(Errc::deadline_exceeded, "no session was made in time");
    const Alarm alarm(cluster_.core(), changed_, deadline);
    co_await changed_.wait();
  }
  co_return co_await create(shard, deadline);
}

namespace {

// Takes the mark "being made" off again, however the making ends.
template <class Undo>
class Cleanup {
 public:
  explicit Cleanup(Undo undo) : undo_(std::move(undo)) {}
  Cleanup(const Cleanup&) = delete;
  Cleanup& operator=(const Cleanup&) = delete;
  ~Cleanup() { undo_(); }

 private:
  Undo undo_;
};

}   // namespace

Task<Result<SessionId>> Sessions::create(ShardId shard, Deadline deadline) {
  sessions_[shard];
  note_hashes(shard);   // it may be no more when the answer comes
  const Cleanup unmark([this, shard] {
    const auto found = sessions_.find(shard);
    if (found != sessions_.end() && !found->second.id) sessions_.erase(found);
    changed_.notify_all();
  });
  pb::CreateSessionRequest request;
  request.set_shard(shard.value());
  request.set_session_timeout_ms(
      static_cast<std::uint32_t>(std::chrono::floor<std::chrono::milliseconds>(cluster_.options().session_timeout).count()));
  request.set_client_identity(cluster_.options().identity);
  Backoff backoff(cluster_.options().retry_pause_min, cluster_.options().retry_pause_max);
  for (;;) {
    CO_TRY(rpc::Channel* const channel, co_await cluster_.leader(shard, deadline));
    pb::CreateSessionResponse answer;
    const rpc::Status status = co_await channel->unary(method("CreateSession"), request, answer, cluster_.call_options(deadline));
    if (status.ok()) {
      const SessionId made{answer.session_id()};
      sessions_[shard].id = made;
      keep(shard, made);
      co_return made;
    }
    // A session whose answer was lost runs out by itself, so asking again is harmless.
    const Verdict verdict = judge(status);
    cluster_.learn(verdict);
    if (verdict.action == Verdict::Action::reroute) co_return fail(ClientErrc::shard_moved);
    if (verdict.action == Verdict::Action::give_up || cluster_.core().now() >= deadline) co_return fail(verdict.error);
    co_await cluster_.pause(backoff.next(cluster_.core().random()), deadline);
  }
}

Task<> Sessions::keep_alive(ShardId shard, SessionId session) {
  Core& core = cluster_.core();
  const Duration interval = heartbeat_interval(cluster_.options().session_timeout);
  Backoff backoff(cluster_.options().retry_pause_min, cluster_.options().retry_pause_max);
  TimePoint due = core.now() + interval;
  pb::SessionHeartbeat request;
  request.set_shard(shard.value());
  request.set_session_id(session.value());
  while (holds(shard, session)) {
    while (core.now() < due && holds(shard, session)) {
      const Alarm alarm(core, changed_, due);
      co_await changed_.wait();
    }
    if (!holds(shard, session)) co_return;
    const Deadline deadline = core.now() + cluster_.options().session_timeout;
    const auto channel = co_await cluster_.leader(shard, deadline);
    if (!channel) {
      if (channel.error() != Errc::deadline_exceeded) co_await cluster_.pause(backoff.next(core.random()), no_deadline);
      continue;   // of a shard that is no more others keep it alive
    }
    pb::KeepAliveResponse answer;
    const rpc::Status status = co_await (*channel)->unary(method("KeepAlive"), request, answer,
                                                          cluster_.call_options(core.now() + std::max<Duration>(interval, 1s)));
    if (status.ok()) {
      backoff.reset();
      due = core.now() + interval;
      continue;
    }
    const Verdict verdict = judge(status);
    cluster_.learn(verdict);
    if (verdict.error == ClientErrc::session_expired) co_return lost(shard, session);
    co_await cluster_.pause(backoff.next(core.random()), no_deadline);
  }
}

void Sessions::lost(ShardId shard, SessionId session) {
  if (kept_.erase({shard, session}) == 0) return;
  if (const auto found = sessions_.find(shard); found != sessions_.end() && found->second.id == session) sessions_.erase(found);
  changed_.notify_all();
  if (cluster_.options().on_session_lost) cluster_.options().on_session_lost(shard);
}

Task<> Sessions::close_all(Deadline deadline) {
  follow_shards();
  const auto open = std::exchange(kept_, {});
  sessions_.clear();
  changed_.notify_all();
  for (const auto& [shard, session] : open) {
    const auto channel = co_await cluster_.leader(shard, deadline);
    if (!channel) continue;
    pb::CloseSessionRequest request;
    request.set_shard(shard.value());
    request.set_session_id(session.value());
    pb::CloseSessionResponse answer;
    // Whatever comes back, there is nothing more to be done about it.
    static_cast<void>(co_await (*channel)->unary(method("CloseSession"), request, answer, cluster_.call_options(deadline)));
  }
}

}   // namespace skerry::client
