// SPDX-License-Identifier: Apache-2.0
#include "client/sequence_follower.hpp"

#include "base/hash.hpp"
#include "client/cluster.hpp"
#include "oxia/client.pb.h"

namespace skerry::client {

namespace pb = io::oxia::proto::v1;

SequenceFollower::SequenceFollower(Cluster& cluster, std::string key, std::string partition_key)
    : cluster_(cluster), key_(std::move(key)), partition_key_(std::move(partition_key)),
      deadline_(cluster.core().clock().now() + cluster.options().request_timeout),
      backoff_(cluster.options().retry_pause_min, cluster.options().retry_pause_max) {}

SequenceFollower::~SequenceFollower() = default;

Task<Result<std::string>> SequenceFollower::next() {
  pb::GetSequenceUpdatesResponse update;
  for (;;) {
    if (!call_) CO_TRYV(co_await open());
    const auto more = co_await call_->read(update);
    if (more && *more) {
      deadline_ = no_deadline;
      backoff_.reset();
      if (last_ == update.highest_sequence_key()) continue;   // told again after a new connection
      last_ = update.highest_sequence_key();
      co_return *last_;
    }
    const rpc::Status status = co_await call_->finish();
    call_.reset();
    CO_TRYV(co_await recover(judge(status)));
  }
}

Task<Result<>> SequenceFollower::open() {
  while (!call_) {
    CO_TRY(const ShardId shard, co_await cluster_.route(key_hash(partition_key_), deadline_));
    const auto channel = co_await cluster_.leader(shard, deadline_);
    if (!channel) {
      if (channel.error() == ClientErrc::shard_moved) continue;   // and route() waits for its successor
      co_return fail(channel.error());
    }
    auto opened = co_await (*channel)->open(method("GetSequenceUpdates"), cluster_.call_options(no_deadline));
    if (!opened) {
      CO_TRYV(co_await recover(judge(opened.error())));
      continue;
    }
    call_ = std::move(*opened);
    pb::GetSequenceUpdatesRequest request;
    request.set_shard(shard.value());
    request.set_key(key_);
    if (co_await call_->write(request)) static_cast<void>(co_await call_->finish_writing());
  }
  co_return Result<>();
}

Task<Result<>> SequenceFollower::recover(const Verdict& verdict) {
  cluster_.learn(verdict);
  if (verdict.action == Verdict::Action::give_up && !verdict.maybe_applied) co_return fail(verdict.error);
  if (cluster_.core().now() >= deadline_)
    co_return fail(Errc::deadline_exceeded, "no answer in time: " + verdict.error.message());
  co_await cluster_.pause(backoff_.next(cluster_.core().random()), deadline_);
  co_return Result<>();
}

}  // namespace skerry::client
