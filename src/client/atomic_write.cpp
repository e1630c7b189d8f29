// SPDX-License-Identifier: Apache-2.0
#include "client/atomic_write.hpp"

#include <fmt/format.h>

#include "base/hash.hpp"
#include "client/wire.hpp"

namespace skerry::client {
namespace {

namespace pb = io::oxia::proto::v1;
namespace v1 = skerry::store::v1;

BatchRejection rejection_of(const v1::Rejection& message) {
  BatchRejection rejection;
  const bool guard = message.has_guard();
  rejection.part = guard ? BatchRejection::Part::condition : BatchRejection::Part::operation;
  rejection.position = guard ? message.guard() : message.operation();
  rejection.key = message.key();
  if (message.has_found_version_id()) rejection.found = VersionId{message.found_version_id()};
  rejection.session_expired = message.status() == pb::SESSION_DOES_NOT_EXIST;
  return rejection;
}

OperationResult result_of(const v1::Operation& operation, v1::OperationResult& message) {
  OperationResult result;
  if (message.has_put()) {
    v1::PutResponse& put = *message.mutable_put();
    result.put = PutResult{put.has_key() ? put.key() : operation.put().key(), from_wire(put.version())};
  } else if (message.has_delete_()) {
    result.found = message.delete_().status() == pb::OK;
  }
  return result;
}

Result<BatchResult> result_of(const v1::BatchRequest& request, v1::BatchResponse& answer) {
  BatchResult result;
  if (answer.has_rejection()) {
    result.rejection = rejection_of(answer.rejection());
    return result;
  }
  if (answer.results_size() != request.operations_size()) {
    return fail(Errc::internal, fmt::format("the server answered {} operations, {} were asked", answer.results_size(),
                                            request.operations_size()));
  }
  for (int i = 0; i < answer.results_size(); ++i) {
    result.results.push_back(result_of(request.operations(i), *answer.mutable_results(i)));
  }
  return result;
}

}  // namespace

std::vector<std::string> route_keys(const AtomicBatch& batch, const BatchOptions& options) {
  if (options.partition_key) return {*options.partition_key};
  std::vector<std::string> keys;
  for (const auto& condition : batch.conditions()) keys.push_back(condition.key);
  for (const auto& operation : batch.operations()) {
    if (const auto* put = std::get_if<AtomicBatch::Put>(&operation)) keys.push_back(put->key);
    if (const auto* one = std::get_if<AtomicBatch::Remove>(&operation)) keys.push_back(one->key);
  }
  return keys;
}

AtomicWrite::AtomicWrite(Cluster& cluster, Sessions& sessions, v1::BatchRequest request, Ephemeral ephemeral)
    : cluster_(cluster), sessions_(sessions), request_(std::move(request)), ephemeral_(ephemeral) {
  request_.mutable_request_id()->set_client(cluster.request_client() + "batch");
}

// A range deletion alone names no key, and a batch of nothing else needs to say where it goes.
Task<Result<ShardId>> AtomicWrite::route(const std::vector<std::string>& keys, Deadline deadline) {
  if (keys.empty()) {
    CO_TRY(const std::vector<ShardId> shards, co_await cluster_.all_shards(deadline));
    if (shards.size() == 1) co_return shards.front();
    co_return fail(Errc::invalid_argument, "a batch that names no key needs a partition key: the namespace has several shards");
  }
  CO_TRY(const ShardId first, co_await cluster_.route(key_hash(keys.front()), deadline));
  for (const std::string& key : keys) {
    CO_TRY(const ShardId shard, co_await cluster_.route(key_hash(key), deadline));
    if (shard == first) continue;
    co_return fail(
        Errc::invalid_argument,
        fmt::format("{} lives on shard {} and {} on shard {}: an atomic batch is within one shard; give it a partition "
                    "key, under which all its records are put and found",
                    printable(keys.front()), first.value(), printable(key), shard.value()));
  }
  co_return first;
}

Task<Result<>> AtomicWrite::use_session(ShardId shard, Deadline deadline) {
  if (ephemeral_ == Ephemeral::no || session_) co_return Result<>();
  CO_TRY(session_, co_await sessions_.session(shard, deadline));
  for (v1::Operation& operation : *request_.mutable_operations()) {
    if (operation.has_put() && operation.put().has_client_identity()) operation.mutable_put()->set_session_id(session_->value());
  }
  co_return Result<>();
}

Error AtomicWrite::error_of(const Verdict& verdict, const std::string& address) const {
  if (maybe_applied_) {
    return {ClientErrc::outcome_unknown,
            fmt::format("outcome unknown: the batch was sent and may or may not have taken effect ({}); read its records before "
                        "repeating it",
                        verdict.error.message())};
  }
  if (verdict.error == Errc::unsupported) {
    return {Errc::unsupported, fmt::format("{} offers no atomic batches: it speaks Oxia's protocol only", address)};
  }
  return verdict.error;
}

Task<Result<BatchResult>> AtomicWrite::run(std::vector<std::string> keys, Deadline deadline) {
  Backoff backoff(cluster_.options().retry_pause_min, cluster_.options().retry_pause_max);
  bool sent = false;
  TimePoint first_sent{};
  for (;;) {
    const auto routed = co_await route(keys, deadline);
    if (!routed && maybe_applied_) co_return fail(error_of(judge(routed.error()), {}));
    CO_TRY(const ShardId shard, routed);
    const auto channel = co_await cluster_.leader(shard, deadline);
    if (!channel && channel.error() == ClientErrc::shard_moved) continue;   // and route() waits for its successor
    if (!channel) co_return fail(error_of(judge(channel.error()), {}));
    if (const auto ready = co_await use_session(shard, deadline); !ready) {
      if (ready.error() != ClientErrc::shard_moved) co_return fail(ready.error());
      co_await cluster_.pause(backoff.next(cluster_.core().random()), deadline);
      continue;
    }
    // A shard that this one was split or merged into knows the id as well.
    if (!std::exchange(sent, true)) {
      request_.mutable_request_id()->set_sequence(cluster_.next_batch_sequence());
      first_sent = cluster_.core().now();
    }
    request_.set_shard(shard.value());
    const std::string address = cluster_.leader_address(shard);
    v1::BatchResponse answer;
    const rpc::Status status = co_await (*channel)->unary(v1_method("Batch"), request_, answer, cluster_.call_options(deadline));
    if (status.ok()) {
      CO_TRY(BatchResult result, result_of(request_, answer));
      if (result.rejection && result.rejection->session_expired && session_) sessions_.lost(shard, *session_);
      co_return result;
    }
    const Verdict verdict = judge(status);
    cluster_.learn(verdict);
    maybe_applied_ = maybe_applied_ || verdict.maybe_applied;
    // A server that has forgotten the id would do the batch once more.
    const bool forgotten = maybe_applied_ && cluster_.core().now() - first_sent > id_age_max;
    if (verdict.action == Verdict::Action::give_up || forgotten || cluster_.core().now() >= deadline)
      co_return fail(error_of(verdict, address));
    co_await cluster_.pause(backoff.next(cluster_.core().random()), deadline);
  }
}

}  // namespace skerry::client
