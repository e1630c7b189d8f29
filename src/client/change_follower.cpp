// SPDX-License-Identifier: Apache-2.0
#include "client/change_follower.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "client/alarm.hpp"
#include "client/change_queue.hpp"
#include "client/cluster.hpp"

namespace skerry::client {

namespace pb = io::oxia::proto::v1;
namespace v1 = skerry::store::v1;

namespace {

using QueuePtr = std::shared_ptr<ChangeQueue>;

// Tells the queue which call to cancel while this one is open.
class OpenCall {
 public:
  OpenCall(QueuePtr queue, ShardId shard, rpc::ClientCall& call) : queue_(std::move(queue)), shard_(shard) {
    queue_->shards()[shard_].call = &call;
  }
  OpenCall(const OpenCall&) = delete;
  OpenCall& operator=(const OpenCall&) = delete;
  ~OpenCall() { queue_->shards()[shard_].call = nullptr; }

 private:
  QueuePtr queue_;
  ShardId shard_;
};

// What a server that filters would not have sent.
void drop_unwanted(v1::NotificationBatch& batch, const std::vector<std::string>& prefixes) {
  if (prefixes.empty()) return;
  auto& all = *batch.mutable_notifications();
  const auto unwanted = [&](const pb::NotificationEntry& entry) {
    return entry.value().type() != pb::KEY_RANGE_DELETED &&
           std::ranges::none_of(prefixes, [&](const std::string& prefix) { return entry.key().starts_with(prefix); });
  };
  all.erase(std::remove_if(all.begin(), all.end(), unwanted), all.end());
}

Task<Verdict> follow_call(Cluster& cluster, QueuePtr queue, ShardId shard, rpc::Channel& channel, Backoff& backoff) {
  const std::string address = cluster.leader_address(shard);
  const bool uses_v1 = cluster.may_offer_v1(address);
  const char* const name = "GetNotifications";
  auto opened = co_await channel.open(uses_v1 ? v1_method(name) : method(name), cluster.call_options(no_deadline));
  if (!opened) co_return judge(opened.error());
  rpc::ClientCall& call = **opened;
  const OpenCall open(queue, shard, call);
  v1::NotificationsRequest request;
  request.set_shard(shard.value());
  if (uses_v1)
    for (const std::string& prefix : queue->prefixes()) request.add_key_prefixes(prefix);
  const std::optional<Offset> after = queue->shards()[shard].received;
  if (after) request.set_start_offset_exclusive(after->value());
  if (co_await call.write(request)) static_cast<void>(co_await call.finish_writing());
  if (after) queue->set_ready(shard);   // the server keeps what comes: nothing can be missed, however late it answers
  v1::NotificationBatch batch;
  while (!queue->closed()) {
    const auto more = co_await call.read(batch);
    if (!more || !*more) break;
    drop_unwanted(batch, queue->prefixes());
    queue->push(shard, batch);
    backoff.reset();
    batch.Clear();
    while (!queue->has_room() && !queue->closed()) co_await queue->changed().wait();
  }
  if (queue->closed()) call.cancel();
  const Verdict verdict = judge(co_await call.finish());
  if (verdict.error == Errc::unavailable) cluster.lost(address);
  if (!uses_v1 || verdict.error != Errc::unsupported) co_return verdict;
  cluster.found_plain(address);
  backoff.reset();
  co_return Verdict{Verdict::Action::retry, false, std::nullopt, {}, verdict.error};
}

Task<> follow_shard(Cluster& cluster, QueuePtr queue, ShardId shard) {
  Backoff backoff(cluster.options().retry_pause_min, cluster.options().retry_pause_max);
  while (!queue->closed()) {
    const auto channel = co_await cluster.leader(shard, cluster.core().now() + cluster.options().retry_pause_max);
    if (queue->closed()) co_return;
    if (!channel) {
      if (channel.error() == ClientErrc::shard_moved) co_return queue->forget(shard);
      if (channel.error() != Errc::deadline_exceeded) co_return queue->fail(channel.error());
      continue;
    }
    const Verdict verdict = co_await follow_call(cluster, queue, shard, **channel, backoff);
    if (queue->closed()) co_return;
    cluster.learn(verdict);
    if (verdict.action == Verdict::Action::give_up && !verdict.maybe_applied) co_return queue->fail(verdict.error);
    co_await cluster.pause(backoff.next(cluster.core().random()), no_deadline);
  }
}

// A shard that others were split or merged into goes on where they stopped, once nothing of theirs is to come.
Task<> follow_heir(Cluster& cluster, QueuePtr queue, ShardId shard, std::vector<ShardId> predecessors) {
  const auto to_come = [&](ShardId each) { return !queue->shards().at(each).ended; };
  while (!queue->closed() && std::ranges::any_of(predecessors, to_come)) co_await queue->changed().wait();
  if (queue->closed()) co_return;
  queue->shards()[shard].received = queue->start_after(predecessors);
  co_await follow_shard(cluster, queue, shard);
}

bool overlap(const ChangeQueue::Shard& one, const ShardMap::Shard& other) {
  return one.hash_min <= other.hash_max && other.hash_min <= one.hash_max;
}

// Begins to follow what appears in the assignments, and ends the calls to what is no more there: what they would still bring,
// those that took its place have as well.
Task<> watch_shards(Cluster& cluster, TaskScope& tasks, QueuePtr queue) {
  std::set<ShardId> orphaned;   // no more there, and not all that took their place was seen yet
  std::set<ShardId> live;
  for (const auto& [id, shard] : queue->shards()) live.insert(id);
  while (!queue->closed()) {
    for (const ShardId id : live) {
      if (!cluster.has_map() || cluster.has_shard(id)) continue;
      orphaned.insert(id);
      if (rpc::ClientCall* call = queue->shards()[id].call) call->cancel();
    }
    for (const ShardId id : orphaned) live.erase(id);
    for (const ShardMap::Shard& shard : cluster.shard_ranges()) {
      if (const auto known = queue->shards().find(shard.id); known != queue->shards().end()) {
        live.insert(shard.id);
        orphaned.erase(shard.id);
        // A server whose assignments were older had made it seem to be gone.
        if (std::exchange(known->second.ended, false)) tasks.spawn(follow_shard(cluster, queue, shard.id));
        continue;
      }
      std::vector<ShardId> predecessors;
      for (const ShardId id : orphaned)
        if (overlap(queue->shards().at(id), shard)) predecessors.push_back(id);
      queue->shards()[shard.id] = {.hash_min = shard.hash_min, .hash_max = shard.hash_max};
      live.insert(shard.id);
      tasks.spawn(follow_heir(cluster, queue, shard.id, std::move(predecessors)));
    }
    if (cluster.covers_all_hashes()) orphaned.clear();
    co_await cluster.changed().wait();
  }
}

}   // namespace

ChangeFollower::ChangeFollower(Cluster& cluster, std::shared_ptr<ChangeQueue> queue)
    : cluster_(cluster), queue_(std::move(queue)) {}

namespace {

// Where each shard is followed from. A position in a shard that was split or merged since is one in those that took its place, as
// far as none in them is known: they are younger, so their ids are higher. One in a shard that never was would never be reached,
// and its changes never be missed: refused.
Result<Positions> starts(const Positions& asked, const std::vector<ShardMap::Shard>& shards) {
  Positions starts;
  std::vector<ShardId> unnamed;
  for (const ShardMap::Shard& shard : shards) {
    const auto named = asked.find(shard.id);
    if (named == asked.end()) unnamed.push_back(shard.id);
    else starts[shard.id] = named->second;
  }
  for (const auto& [old, offset] : asked) {
    if (starts.contains(old)) continue;
    const bool replaced = std::ranges::any_of(shards, [&](const ShardMap::Shard& each) { return each.id > old; });
    for (const ShardId id : unnamed) {
      if (id < old) continue;
      const auto [start, first] = starts.emplace(id, offset);
      if (!first) start->second = std::min(start->second, offset);
    }
    if (replaced) continue;
    return fail(Errc::invalid_argument,
                fmt::format("the namespace has no shard {}: name positions of its shards only", old.value()));
  }
  return starts;
}

}   // namespace

ChangeFollower::~ChangeFollower() {
  queue_->close();
  cluster_.changed().notify_all();   // watch_shards waits there
}

Task<Result<std::unique_ptr<ChangeFollower>>> ChangeFollower::start(Cluster& cluster, TaskScope& tasks, FollowOptions options) {
  Core& core = cluster.core();
  const Deadline deadline = options.deadline.value_or(core.now() + cluster.options().request_timeout);
  CO_TRYV(co_await cluster.all_shards(deadline));
  const std::vector<ShardMap::Shard> shards = cluster.shard_ranges();
  CO_TRY(const Positions after, starts(options.after, shards));
  const auto queue = std::make_shared<ChangeQueue>(core, cluster.options().scan_bytes_buffered_max, std::move(options.prefixes));
  auto follower = std::unique_ptr<ChangeFollower>(new ChangeFollower(cluster, queue));   // the constructor is private
  for (const ShardMap::Shard& shard : shards) {
    auto& state = queue->shards()[shard.id] = {.hash_min = shard.hash_min, .hash_max = shard.hash_max};
    if (const auto start = after.find(shard.id); start != after.end()) state.received = start->second;
    tasks.spawn(follow_shard(cluster, queue, shard.id));
  }
  tasks.spawn(watch_shards(cluster, tasks, queue));
  while (!queue->all_ready()) {
    if (queue->error()) co_return fail(*queue->error());
    if (core.now() >= deadline) {
      co_return fail(Errc::deadline_exceeded,
                     "not every shard could be followed in time" +
                         (cluster.trouble().empty() ? std::string() : "; last trouble: " + cluster.trouble()));
    }
    const Alarm alarm(core, queue->changed(), deadline);
    co_await queue->changed().wait();
  }
  co_return follower;
}

Task<Result<Change>> ChangeFollower::next() {
  for (;;) {
    if (std::optional<Change> change = queue_->pop()) co_return std::move(*change);
    if (queue_->error()) co_return fail(*queue_->error());
    co_await queue_->changed().wait();
  }
}

std::optional<Change> ChangeFollower::try_next() { return queue_->pop(); }

const Positions& ChangeFollower::positions() const { return queue_->positions(); }

}   // namespace skerry::client
