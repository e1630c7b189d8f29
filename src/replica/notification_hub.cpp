// SPDX-License-Identifier: Apache-2.0
#include "replica/notification_hub.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <limits>

#include "base/assert.hpp"
#include "base/limits.hpp"
#include "replica/shard_error.hpp"
#include "runtime/core.hpp"

namespace skerry::replica {
namespace {

constexpr std::size_t log_chunk_bytes = 128 << 10;   // of log, read at once by each of many followers of old changes

// The first offset that a follower is told of. What clients send may be any number.
Offset begin_after(Offset start_exclusive) {
  return std::clamp(start_exclusive, no_offset, Offset(std::numeric_limits<std::int64_t>::max() - 1)).next();
}
constexpr int batches_between_yields = 256;
constexpr int batches_between_positions = 1000;   // that a filter held back: so much is walked over again after a lost connection

}   // namespace

class NotificationHub::Follower final : public NotificationFollower {
 public:
  Follower(NotificationHub& hub, std::optional<Offset> start_exclusive, NotificationWishes wishes)
      : hub_(hub), hub_alive_(hub.self_), ended_at_start_(hub.ended_), next_(begin_after(start_exclusive.value_or(hub.last_))),
        wishes_(std::move(wishes)) {
    ++hub_.followers_;
    if (!start_exclusive) {
      first_ = std::make_shared<store::NotificationBatch>(
          store::NotificationBatch{.offset = hub.last_, .stamp = {}, .notifications = {}, .missing_from = {}});
    } else if (*start_exclusive > hub.parts_.log.shard(hub.parts_.shard).last) {
      begin_anew();
    }
  }
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;
  ~Follower() override {
    if (*hub_alive_ != nullptr && --hub_.followers_ == 0) hub_.ring_ = store::NotificationRing(hub_.parts_.ring_bytes);
  }

  Task<Result<std::shared_ptr<const store::NotificationBatch>>> next() override {
    if (first_) co_return std::exchange(first_, nullptr);
    for (int skipped = 1;; ++skipped) {
      CO_TRY(auto batch, co_await step());
      const bool filtered = batch && !wishes_.filter.passes_all();
      if (filtered) batch = wishes_.filter.apply(std::move(batch));
      if (batch && batch->missing_from) co_return batch;
      if (filtered && batch->notifications.empty() && ++held_back_ == batches_between_positions) {
        held_back_ = 0;
        co_return batch;
      }
      if (batch && !batch->notifications.empty()) {
        held_back_ = 0;
        ++hub_.batches_read_;
        hub_.notifications_read_ += batch->notifications.size();
        co_return batch;
      }
      if (skipped % batches_between_yields == 0) co_await hub_.parts_.core.yield();
    }
  }

 private:
  using Batch = std::shared_ptr<const store::NotificationBatch>;

  // One move forward: the next batch, or nothing after waiting or reading.
  Task<Result<Batch>> step() {
    if (hub_.stopped_ || hub_.ended_ != ended_at_start_) {
      co_return fail(ShardError::not_serving, fmt::format("shard {} has stopped", hub_.parts_.shard.value()));
    }
    if (!from_log_.empty()) {
      Batch batch = std::move(from_log_.front());
      from_log_.pop_front();
      next_ = batch->offset.next();
      co_return batch;
    }
    if (next_ > hub_.last_) {
      co_await hub_.news_.wait();
      co_return Batch{};
    }
    if (Batch batch = hub_.ring_.at(next_)) {
      next_ = next_.next();
      co_return batch;
    }
    CO_TRYV(co_await read_log());
    co_return Batch{};
  }

  Task<Result<>> read_log() {
    const Offset last = hub_.last_;   // the log may hold more, but not committed
    const auto entries = co_await hub_.parts_.log.read(hub_.parts_.shard, next_, log_chunk_bytes);
    if (!entries) {
      if (entries.error() == make_error_code(Errc::not_found)) co_return skip_trimmed(last);
      co_return fail(entries.error());
    }
    for (const disk::LogEntry& entry : *entries) {
      if (entry.offset > last) break;
      CO_TRY(auto batch, store::decode_notifications(hub_.parts_.order, entry.offset, entry.payload));
      from_log_.push_back(std::make_shared<store::NotificationBatch>(std::move(batch)));
    }
    if (from_log_.empty()) co_return skip_trimmed(last);
    co_return Result<>{};
  }

  // What it has seen is none of this log: of another store, or of one that was put back to an older copy.
  void begin_anew() {
    next_ = hub_.last_.next();
    if (wishes_.gaps) from_log_.push_back(gap(Offset(0)));
  }

  // On with the oldest that is kept. Oxia's protocol has no word for a gap.
  Result<> skip_trimmed(Offset last) {
    const Offset first = hub_.parts_.log.shard(hub_.parts_.shard).first;
    const Offset missing_from = std::exchange(next_, first > next_ ? first : last.next());
    if (wishes_.gaps) from_log_.push_back(gap(missing_from));
    return {};
  }
  Batch gap(Offset missing_from) const {   // up to where it goes on
    return std::make_shared<store::NotificationBatch>(
        store::NotificationBatch{.offset = next_.previous(), .stamp = {}, .notifications = {}, .missing_from = missing_from});
  }

  NotificationHub& hub_;
  std::shared_ptr<NotificationHub*> hub_alive_;
  const std::uint64_t ended_at_start_;
  Batch first_;
  Offset next_;
  std::deque<Batch> from_log_;
  NotificationWishes wishes_;
  int held_back_ = 0;   // batches since the client was told where it stands
};

NotificationHub::NotificationHub(Parts parts) : parts_(parts), ring_(parts.ring_bytes), news_(parts.core) {}

void NotificationHub::applied(Offset offset, BytesView entry) {
  last_ = offset;
  if (followers_ == 0) return;
  auto batch = store::decode_notifications(parts_.order, offset, entry);
  SKERRY_ASSERT(batch.has_value());   // it has just been applied
  ring_.push(std::make_shared<store::NotificationBatch>(*std::move(batch)));
}

void NotificationHub::replaced(Offset offset) {
  last_ = offset;
  ring_ = store::NotificationRing(parts_.ring_bytes);
  end_followers();
}

void NotificationHub::end_followers() {
  ++ended_;
  wake();
}

void NotificationHub::stop() {
  stopped_ = true;
  wake();
}

Result<std::unique_ptr<NotificationFollower>> NotificationHub::follow(std::optional<Offset> start_exclusive,
                                                                      NotificationWishes wishes) {
  if (followers_ >= limits::shard_followers_max) {
    return fail(Errc::resource_exhausted,
                fmt::format("shard {} has {} followers of its notifications, the limit", parts_.shard.value(), followers_));
  }
  return std::make_unique<Follower>(*this, start_exclusive, std::move(wishes));
}

}   // namespace skerry::replica
