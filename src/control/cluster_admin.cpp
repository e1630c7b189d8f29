// SPDX-License-Identifier: Apache-2.0
#include "control/cluster_admin.hpp"

#include <fmt/format.h>

#include "control/cluster_view.hpp"
#include "runtime/join.hpp"

namespace skerry::control {
namespace {

using rpc::ServerCall;

constexpr Duration watch_interval = 1s;    // of a status that does not change: reports do
constexpr Duration watch_pause = 50ms;     // at least, between two that are sent

std::string admin_method(std::string_view name) { return fmt::format("/skerry.control.v1.Admin/{}", name); }

}  // namespace

template <class Request, class Reply>
void ClusterAdmin::add(rpc::Methods& methods, std::string_view name, Handler<Request> handler) {
  methods.unary<Request, Reply>(
      admin_method(name), [this, handler](ServerCall&, const Request& request, Reply&) { return (this->*handler)(request); });
}

void ClusterAdmin::register_in(rpc::Methods& methods) {
  methods.unary<v1::GetClusterRequest, v1::Cluster>(
      admin_method("GetCluster"), [this](ServerCall&, const v1::GetClusterRequest&, v1::Cluster& reply) { return get(reply); });
  methods.server_stream<v1::WatchClusterRequest, v1::Cluster>(
      admin_method("WatchCluster"),
      [this](ServerCall&, const v1::WatchClusterRequest&, rpc::Replies<v1::Cluster>& replies) { return watch(replies); });
  add<v1::DrainNodeRequest, v1::DrainNodeResponse>(methods, "DrainNode", &ClusterAdmin::drain);
  add<v1::UndrainNodeRequest, v1::UndrainNodeResponse>(methods, "UndrainNode", &ClusterAdmin::undrain);
  add<v1::MoveReplicaRequest, v1::MoveReplicaResponse>(methods, "MoveReplica", &ClusterAdmin::move);
  add<v1::TransferLeaderRequest, v1::TransferLeaderResponse>(methods, "TransferLeader", &ClusterAdmin::transfer);
  add<v1::CancelReshapeRequest, v1::CancelReshapeResponse>(methods, "CancelReshape", &ClusterAdmin::cancel_reshape);
  methods.unary<v1::MergeShardsRequest, v1::MergeShardsResponse>(
      admin_method("MergeShards"), [this](ServerCall&, const v1::MergeShardsRequest& request, v1::MergeShardsResponse& reply) {
        return merge(request, reply);
      });
}

std::expected<v1::Cluster, rpc::Status> ClusterAdmin::view() const {
  const auto core = office_.in_office();
  if (!core) return std::unexpected(core.error());
  v1::Cluster cluster = cluster_view(**core);
  cluster.set_epoch(office_.coordinator.epoch());
  cluster.set_coordinator(office_.coordinator.holder());
  return cluster;
}

Task<rpc::Status> ClusterAdmin::get(v1::Cluster& reply) {
  auto cluster = view();
  if (!cluster) co_return cluster.error();
  reply = *std::move(cluster);
  co_return rpc::Status();
}

Task<rpc::Status> ClusterAdmin::watch(rpc::Replies<v1::Cluster>& replies) {
  for (;;) {
    const auto cluster = view();
    if (!cluster) co_return cluster.error();
    const auto written = co_await replies.write(*cluster);
    if (!written) co_return rpc::Status::from(written.error());
    co_await office_.core.sleep_for(watch_pause);
    co_await run_until(office_.core, office_.coordinator.wait_changed(), office_.core.now() + (watch_interval - watch_pause));
  }
}

Task<rpc::Status> ClusterAdmin::drain(const v1::DrainNodeRequest& request) {
  const auto core = office_.in_office();
  if (!core) co_return core.error();
  const auto node = find_node((*core)->status(), request.node());
  if (!node) co_return rpc::Status::from(node.error());
  auto wish = (*core)->drain(*node, office_.core.now());
  if (!wish)
    co_return rpc::Status{rpc::Code::failed_precondition, wish.error().message(), {}};   // the others can't take what it has
  co_return co_await office_.carry_out(std::move(wish));
}

Task<rpc::Status> ClusterAdmin::undrain(const v1::UndrainNodeRequest& request) {
  const auto core = office_.in_office();
  if (!core) co_return core.error();
  const auto node = find_node((*core)->status(), request.node());
  if (!node) co_return rpc::Status::from(node.error());
  co_return co_await office_.carry_out((*core)->undrain(*node, office_.core.now()));
}

Task<rpc::Status> ClusterAdmin::move(const v1::MoveReplicaRequest& request) {
  const auto core = office_.in_office();
  if (!core) co_return core.error();
  const auto from = find_node((*core)->status(), request.from()), to = find_node((*core)->status(), request.to());
  if (!from) co_return rpc::Status::from(from.error());
  if (!to) co_return rpc::Status::from(to.error());
  const CoordinatorCore::Move wanted{ShardId(request.shard()), *from, *to};
  co_return co_await office_.carry_out((*core)->move_replica(wanted, office_.core.now()));
}

Task<rpc::Status> ClusterAdmin::transfer(const v1::TransferLeaderRequest& request) {
  const auto core = office_.in_office();
  if (!core) co_return core.error();
  const auto to = find_node((*core)->status(), request.to());
  if (!to) co_return rpc::Status::from(to.error());
  co_return co_await office_.carry_out((*core)->transfer_leader(ShardId(request.shard()), *to, office_.core.now()));
}

// Answered when the wish is stored: the rest takes its time.
Task<rpc::Status> ClusterAdmin::merge(const v1::MergeShardsRequest& request, v1::MergeShardsResponse& reply) {
  const auto core = office_.in_office();
  if (!core) co_return core.error();
  const CoordinatorCore::Neighbours parents{ShardId(request.left()), ShardId(request.right())};
  for (const ShardId shard : {parents.left, parents.right}) {
    if (auto checked = check_shard(**core, shard, request.namespace_()); !checked.ok()) co_return checked;
  }
  const auto begun = (*core)->merge_shards(parents, office_.core.now());
  if (!begun) co_return rpc::Status::from(begun.error());
  reply.set_shard(begun->children.front().value());
  co_return co_await office_.carry_out(begun->stored);
}

Task<rpc::Status> ClusterAdmin::cancel_reshape(const v1::CancelReshapeRequest& request) {
  const auto core = office_.in_office();
  if (!core) co_return core.error();
  auto wish = (*core)->cancel_reshape(ShardId(request.shard()), office_.core.now());
  if (!wish) co_return as_precondition(wish.error());
  co_return co_await office_.carry_out(std::move(wish));
}

}  // namespace skerry::control
