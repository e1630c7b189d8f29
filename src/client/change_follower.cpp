// SPDX-License-Identifier: Apache-2.0
#include "client/change_follower.hpp"

#include <fmt/format.h>

#include <algorithm>

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

// Begins to follow what appears in the assignments.
Task<> watch_shards(Cluster& cluster, TaskScope& tasks, QueuePtr queue) {
  while (!queue->closed()) {
    for (const ShardMap::Shard& shard : cluster.shard_ranges()) {
      if (queue->shards().contains(shard.id)) continue;
      const Offset start = queue->start_of_new(shard.hash_min, shard.hash_max);
      queue->shards()[shard.id] = {shard.hash_min, shard.hash_max, start, false, nullptr};
      tasks.spawn(follow_shard(cluster, queue, shard.id));
    }
    co_await cluster.changed().wait();
  }
}

}   // namespace

ChangeFollower::ChangeFollower(Cluster& cluster, std::shared_ptr<ChangeQueue> queue)
    : cluster_(cluster), queue_(std::move(queue)) {}

namespace {

// A position in a shard that does not exist would never be reached, and its changes never be missed.
Result<> check_positions(const Positions& positions, Cluster& cluster) {
  const auto& ranges = cluster.shard_ranges();
  for (const auto& [shard, offset] : positions) {
    const auto found = std::ranges::find(ranges, shard, &ShardMap::Shard::id);
    if (found != ranges.end()) continue;
    return fail(Errc::invalid_argument,
                fmt::format("the namespace has no shard {}: name positions of its shards only", shard.value()));
  }
  return {};
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
  CO_TRYV(check_positions(options.after, cluster));
  const auto queue = std::make_shared<ChangeQueue>(core, cluster.options().scan_bytes_buffered_max, std::move(options.prefixes));
  auto follower = std::unique_ptr<ChangeFollower>(new ChangeFollower(cluster, queue));   // the constructor is private
  for (const ShardMap::Shard& shard : cluster.shard_ranges()) {
    const auto after = options.after.find(shard.id);
    const std::optional<Offset> start = after == options.after.end() ? std::nullopt : std::optional(after->second);
    queue->shards()[shard.id] = {shard.hash_min, shard.hash_max, start, false, nullptr};
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
