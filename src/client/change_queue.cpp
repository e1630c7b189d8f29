// SPDX-License-Identifier: Apache-2.0
#include "client/change_queue.hpp"

#include <algorithm>

#include "client/wire.hpp"

namespace skerry::client {

namespace pb = io::oxia::proto::v1;
namespace v1 = skerry::store::v1;

namespace {

Change to_change(ShardId shard, const v1::NotificationBatch& batch, pb::NotificationEntry& entry) {
  const pb::Notification& notification = entry.value();
  Change change;
  change.shard = shard;
  change.offset = Offset{batch.offset()};
  change.time = wall_time(batch.timestamp());
  change.kind = static_cast<ChangeKind>(notification.type());
  change.key = std::move(*entry.mutable_key());
  if (notification.has_version_id()) change.version_id = VersionId{notification.version_id()};
  change.range_end = notification.key_range_last();
  return change;
}

Change to_gap(ShardId shard, const v1::NotificationBatch& batch) {
  Change change;
  change.shard = shard;
  change.offset = Offset{batch.offset()};
  change.kind = ChangeKind::gap;
  change.missing_from = Offset{batch.gap().first_offset()};
  return change;
}

}  // namespace

void ChangeQueue::push(ShardId shard, v1::NotificationBatch& message) {
  Shard& state = shards_[shard];
  const Offset offset{message.offset()};
  // The first answer to "from now on" has no changes: it says where now is.
  const bool behind = state.received && offset <= *state.received;
  // A gap that ends before what was received: the store was put back to an older copy, and goes on from there.
  const bool seen = behind && !message.has_gap();
  if (!seen) {
    state.received = offset;
    Batch batch{shard, offset, {}, message.ByteSizeLong() + sizeof(Batch)};
    if (message.has_gap()) batch.changes.push_back(to_gap(shard, message));
    for (pb::NotificationEntry& entry : *message.mutable_notifications())
      batch.changes.push_back(to_change(shard, message, entry));
    bytes_ += batch.bytes;
    batches_.push_back(std::move(batch));
  }
  set_ready(shard);
}

std::optional<Change> ChangeQueue::pop() {
  while (!batches_.empty() && batches_.front().changes.empty()) finish_front();
  if (batches_.empty()) return std::nullopt;
  Change change = std::move(batches_.front().changes.front());
  batches_.front().changes.pop_front();
  if (batches_.front().changes.empty()) finish_front();
  return change;
}

void ChangeQueue::finish_front() {
  positions_[batches_.front().shard] = batches_.front().offset;
  bytes_ -= batches_.front().bytes;
  batches_.pop_front();
  changed_.notify_all();   // there is room
}

std::optional<Offset> ChangeQueue::start_after(const std::vector<ShardId>& predecessors) const {
  std::optional<Offset> start;
  for (const ShardId each : predecessors) {
    const std::optional<Offset>& received = shards_.at(each).received;
    if (!received) return std::nullopt;
    start = std::min(start.value_or(*received), *received);
  }
  return start.value_or(no_offset);
}

void ChangeQueue::fail(Error error) {
  if (!error_) error_ = std::move(error);
  changed_.notify_all();
}

void ChangeQueue::close() {
  closed_ = true;
  for (auto& [id, shard] : shards_) {
    if (shard.call != nullptr) shard.call->cancel();
  }
  changed_.notify_all();
}

bool ChangeQueue::all_ready() const {
  return std::ranges::all_of(shards_, [](const auto& each) { return each.second.ready; });
}

void ChangeQueue::set_ready(ShardId shard) {
  shards_[shard].ready = true;
  changed_.notify_all();
}

void ChangeQueue::forget(ShardId shard) {
  shards_[shard].ended = true;
  set_ready(shard);
}

}  // namespace skerry::client
