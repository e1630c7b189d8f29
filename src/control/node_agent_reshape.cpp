// SPDX-License-Identifier: Apache-2.0
// What a NodeAgent does where shards are split and merged.
#include <fmt/format.h>

#include <algorithm>

#include "control/node_agent.hpp"
#include "control/node_messages.hpp"
#include "rpc/status.hpp"
#include "store/reshape_error.hpp"

namespace skerry::control {
namespace {

using store::ReshapeError;

replica::ReshapePlan plan_of(const v1::ReshapeRequest& request) {
  const Reshape asked = read(request);
  replica::ReshapePlan plan{.parents = {}, .children = {}, .order = asked.order, .term = asked.term};
  for (const auto& each : asked.parents) plan.parents.push_back({each.shard, each.term, each.head});
  for (const auto& each : asked.children) plan.children.push_back({each.shard, each.hashes});
  return plan;
}

rpc::Status refusal(rpc::Code code, const char* reason, const Error& error) {
  return rpc::Status::with_info(code, error.message(), {error_domain, reason, {}});
}

}  // namespace

void NodeAgent::register_reshapes(rpc::Methods& methods) {
  methods.unary<v1::ReshapeRequest, v1::ReshapeReply>(
      node_method("PrepareReshape"), [this](rpc::ServerCall& call, const v1::ReshapeRequest& request, v1::ReshapeReply&) {
        return prepare_reshape(call, request);
      });
  methods.unary<v1::ReshapeRequest, v1::ReshapeReply>(
      node_method("Reshape"),
      [this](rpc::ServerCall& call, const v1::ReshapeRequest& request, v1::ReshapeReply&) { return reshape(call, request); });
  methods.unary<v1::SealShardRequest, v1::SealShardReply>(
      node_method("SealShard"), [this](rpc::ServerCall& call, const v1::SealShardRequest& request, v1::SealShardReply& reply) {
        return seal_shard(call, request, reply);
      });
  methods.unary<v1::SealShardRequest, v1::UnsealShardReply>(
      node_method("UnsealShard"), [this](rpc::ServerCall& call, const v1::SealShardRequest& request, v1::UnsealShardReply&) {
        return unseal_shard(call, request);
      });
}

rpc::Status NodeAgent::status_of_reshape(const Error& error, const replica::ReshapePlan& plan) const {
  if (error == ReshapeError::foreign_records) return refusal(rpc::Code::failed_precondition, foreign_records_reason, error);
  if (error == ReshapeError::sessions_collide) return refusal(rpc::Code::failed_precondition, sessions_collide_reason, error);
  if (error == ReshapeError::behind) return refusal(rpc::Code::failed_precondition, behind_reason, error);
  if (error != ReshapeError::outdated) return rpc::Status::from(error);
  Term known = no_term;
  for (const auto& each : plan.parents) {
    const replica::Shard* shard = parts_.group.find(each.shard);
    if (shard != nullptr && shard->term() > each.term) known = std::max(known, shard->term());
  }
  return outdated(error, known);
}

Task<rpc::Status> NodeAgent::prepare_reshape(rpc::ServerCall& call, const v1::ReshapeRequest& request) {
  if (auto refused = refuse_stranger(call)) co_return *std::move(refused);
  const replica::ReshapePlan plan = plan_of(request);
  const auto prepared = co_await reshaper_.prepare(plan);
  co_return prepared ? rpc::Status() : status_of_reshape(prepared.error(), plan);
}

Task<rpc::Status> NodeAgent::reshape(rpc::ServerCall& call, const v1::ReshapeRequest& request) {
  if (auto refused = refuse_stranger(call)) co_return *std::move(refused);
  const replica::ReshapePlan plan = plan_of(request);
  if (const auto made = co_await reshaper_.make(plan); !made) co_return status_of_reshape(made.error(), plan);
  for (const auto& child : plan.children) {
    const auto opened = co_await open(child.shard, {request.namespace_(), read(request.key_order()), request.notifications()});
    if (!opened) co_return rpc::Status::from(opened.error());
  }
  co_return rpc::Status();
}

Task<rpc::Status> NodeAgent::seal_shard(rpc::ServerCall& call, const v1::SealShardRequest& request, v1::SealShardReply& reply) {
  if (auto refused = refuse_stranger(call)) co_return *std::move(refused);
  replica::Shard* found = parts_.group.find(ShardId(request.shard()));
  if (found == nullptr) co_return not_held(ShardId(request.shard()));
  const replica::ShardUse shard = found->use();
  const auto head = co_await shard->seal(Term(request.term()));
  if (!head) co_return status_of_seal(head.error(), shard->term(), Term(request.term()));
  *reply.mutable_head() = write(*head);
  co_return rpc::Status();
}

Task<rpc::Status> NodeAgent::unseal_shard(rpc::ServerCall& call, const v1::SealShardRequest& request) {
  if (auto refused = refuse_stranger(call)) co_return *std::move(refused);
  replica::Shard* shard = parts_.group.find(ShardId(request.shard()));
  if (shard == nullptr) co_return not_held(ShardId(request.shard()));
  const auto done = shard->unseal(Term(request.term()));
  co_return done ? rpc::Status() : status_of_seal(done.error(), shard->term(), Term(request.term()));
}

rpc::Status NodeAgent::status_of_seal(const Error& error, Term known, Term asked) {
  if (known > asked) return outdated(error, known);
  if (error == make_error_code(replica::ShardError::not_leader))
    return refusal(rpc::Code::failed_precondition, not_leader_reason, error);
  return rpc::Status::from(error);
}

rpc::Status NodeAgent::not_held(ShardId shard) {
  return {rpc::Code::not_found, fmt::format("this node holds no replica of shard {}", shard.value()), {}};
}

}  // namespace skerry::control
