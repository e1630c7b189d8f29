// SPDX-License-Identifier: Apache-2.0
#include "node/admin_service.hpp"

#include <fmt/format.h>

#include "node/admin_namespaces.hpp"

namespace skerry::node {
namespace {

namespace pb = io::oxia::proto::v1;
using rpc::ServerCall;

std::string oxia_admin_method(std::string_view name) { return fmt::format("/io.oxia.proto.v1.OxiaAdmin/{}", name); }

rpc::Status status_of(const Result<>& result) { return result ? rpc::Status() : rpc::Status::from(result.error()); }

rpc::Status refuse(std::string text) { return {rpc::Code::invalid_argument, std::move(text), {}}; }

Task<rpc::Status> refused(rpc::Status status) { co_return status; }

void fill(pb::NamespaceView& view, const std::string& name, const NamespaceStatus& space) {
  pb::Namespace& shown = *view.mutable_namespace_();
  shown.set_name(name);
  shown.set_initial_shard_count(static_cast<std::uint32_t>(space.shards.size()));
  shown.set_replication_factor(1);
  shown.set_notifications_enabled(space.notifications);
  shown.set_key_sorting(space.order == store::KeyOrder::natural ? "natural" : "hierarchical");
  pb::NamespaceStatus& status = *view.mutable_namespace_status();
  status.set_replication_factor(1);
  for (const auto& [id, shard] : space.shards) {
    pb::ShardMetadata& of = (*status.mutable_shards())[id.value()];
    of.set_status(pb::SteadyState);
    of.set_term(shard.term.value());
    of.mutable_leader()->set_name(fmt::format("node-{}", shard.node));
    *of.add_ensemble() = of.leader();
    of.mutable_int32_hash_range()->set_min(shard.hashes.min);
    of.mutable_int32_hash_range()->set_max(shard.hashes.max);
  }
}

// What asks for more than one machine can give, and how to say so; nothing when all is well.
std::optional<rpc::Status> refuse_cluster_wishes(const pb::Namespace& wish) {
  if (wish.replication_factor() > 1) {
    return refuse(
        fmt::format("a standalone keeps one copy of each shard: the replication factor can't be {}", wish.replication_factor()));
  }
  if (wish.anti_affinities_size() > 0) return refuse("a standalone has one server: anti-affinities mean nothing here");
  return std::nullopt;
}

// What only a cluster has.
template <class Request, class Reply>
void refuse_always(rpc::Methods& methods, std::string_view name, std::string why) {
  methods.unary<Request, Reply>(oxia_admin_method(name), [why = std::move(why)](ServerCall&, const Request&, Reply&) {
    return refused(rpc::Status{rpc::Code::unimplemented, why, {}});
  });
}

void refuse_what_clusters_have(rpc::Methods& methods) {
  const std::string servers = "a standalone is its own and only server: clusters of them are what `skerry coordinator` manages";
  refuse_always<pb::ListDataServersRequest, pb::ListDataServersResponse>(methods, "ListDataServers", servers);
  refuse_always<pb::GetDataServerRequest, pb::GetDataServerResponse>(methods, "GetDataServer", servers);
  refuse_always<pb::CreateDataServerRequest, pb::CreateDataServerResponse>(methods, "CreateDataServer", servers);
  refuse_always<pb::PatchDataServerRequest, pb::PatchDataServerResponse>(methods, "PatchDataServer", servers);
  refuse_always<pb::DeleteDataServerRequest, pb::DeleteDataServerResponse>(methods, "DeleteDataServer", servers);
  refuse_always<pb::SplitShardRequest, pb::SplitShardResponse>(
      methods, "SplitShard", "a standalone does not split shards: make a namespace with more of them");
}

}  // namespace

void AdminService::register_in(rpc::Methods& methods) {
  refuse_what_clusters_have(methods);
  methods.unary<pb::ListNamespacesRequest, pb::ListNamespacesResponse>(
      oxia_admin_method("ListNamespaces"),
      [this](ServerCall&, const pb::ListNamespacesRequest&, pb::ListNamespacesResponse& reply) { return list(reply); });
  methods.unary<pb::GetNamespaceRequest, pb::GetNamespaceResponse>(
      oxia_admin_method("GetNamespace"),
      [this](ServerCall&, const pb::GetNamespaceRequest& request, pb::GetNamespaceResponse& reply) {
        return get(request.namespace_(), *reply.mutable_namespace_());
      });
  methods.unary<pb::CreateNamespaceRequest, pb::CreateNamespaceResponse>(
      oxia_admin_method("CreateNamespace"),
      [this](ServerCall&, const pb::CreateNamespaceRequest& request, pb::CreateNamespaceResponse& reply) {
        return create(request.namespace_(), *reply.mutable_namespace_());
      });
  methods.unary<pb::PatchNamespaceRequest, pb::PatchNamespaceResponse>(
      oxia_admin_method("PatchNamespace"),
      [this](ServerCall&, const pb::PatchNamespaceRequest& request, pb::PatchNamespaceResponse& reply) {
        return patch(request.namespace_(), *reply.mutable_namespace_());
      });
  methods.unary<pb::DeleteNamespaceRequest, pb::DeleteNamespaceResponse>(
      oxia_admin_method("DeleteNamespace"), [this](ServerCall&, const pb::DeleteNamespaceRequest& request,
                                                   pb::DeleteNamespaceResponse&) { return remove(request.namespace_()); });
}

Task<rpc::Status> AdminService::list(pb::ListNamespacesResponse& reply) {
  const ClusterStatus status = co_await namespaces_.invoke_on(CoreId{0}, &NamespaceAdmin::status);
  for (const auto& [name, space] : status.namespaces) fill(*reply.add_namespaces(), name, space);
  co_return rpc::Status();
}

Task<rpc::Status> AdminService::get(const std::string& name, pb::NamespaceView& reply) {
  const ClusterStatus status = co_await namespaces_.invoke_on(CoreId{0}, &NamespaceAdmin::status);
  const auto found = status.namespaces.find(name);
  if (found == status.namespaces.end()) {
    co_return rpc::Status{rpc::Code::not_found, fmt::format("there is no namespace {}", printable(name)), {}};
  }
  fill(reply, name, found->second);
  co_return rpc::Status();
}

Task<rpc::Status> AdminService::create(const pb::Namespace& wish, pb::NamespaceView& reply) {
  if (auto refused = refuse_cluster_wishes(wish)) co_return *std::move(refused);
  if (wish.key_sorting() != "natural" && wish.key_sorting() != "hierarchical") {
    co_return refuse(fmt::format("key_sorting is {}; expected \"hierarchical\" or \"natural\"", printable(wish.key_sorting())));
  }
  NewNamespace made{.name = wish.name(),
                    .shards = wish.initial_shard_count(),
                    .order = wish.key_sorting() == "natural" ? store::KeyOrder::natural : store::KeyOrder::hierarchical,
                    .notifications = !wish.has_notifications_enabled() || wish.notifications_enabled()};
  const Result<> created = co_await namespaces_.invoke_on(CoreId{0}, &NamespaceAdmin::create, std::move(made));
  if (!created) co_return status_of(created);
  co_return co_await get(wish.name(), reply);
}

Task<rpc::Status> AdminService::patch(const pb::Namespace& wish, pb::NamespaceView& reply) {
  if (auto refused = refuse_cluster_wishes(wish)) co_return *std::move(refused);
  if (wish.initial_shard_count() != 0 || !wish.key_sorting().empty()) {
    co_return refuse("shards and key sorting are fixed when a namespace is made: only notifications_enabled can be changed");
  }
  if (wish.has_notifications_enabled()) {
    const Result<> changed =
        co_await namespaces_.invoke_on(CoreId{0}, &NamespaceAdmin::set_notifications, wish.name(), wish.notifications_enabled());
    if (!changed) co_return status_of(changed);
  }
  co_return co_await get(wish.name(), reply);
}

Task<rpc::Status> AdminService::remove(const std::string& name) {
  co_return status_of(co_await namespaces_.invoke_on(CoreId{0}, &NamespaceAdmin::remove, name));
}

}  // namespace skerry::node
