// SPDX-License-Identifier: Apache-2.0
#include "control/admin_service.hpp"

#include <fmt/format.h>

#include <set>

#include "base/nearest.hpp"
#include "control/admin_messages.hpp"
#include "runtime/core.hpp"

namespace skerry::control {
namespace {

namespace pb = io::oxia::proto::v1;
using rpc::ServerCall;

std::string oxia_admin_method(std::string_view name) { return fmt::format("/io.oxia.proto.v1.OxiaAdmin/{}", name); }

rpc::Status refuse(std::string text) { return {rpc::Code::invalid_argument, std::move(text), {}}; }

rpc::Status status_of(const Result<>& result) { return result ? rpc::Status() : rpc::Status::from(result.error()); }

// What clients may use, and what is configured and will be.
std::set<std::string> namespaces_of(const CoordinatorCore& core) {
  std::set<std::string> names;
  for (const auto& [name, space] : core.status().namespaces) {
    if (!space.deleting) names.insert(name);
  }
  if (core.config() == nullptr) return names;
  for (const NamespaceConfig& each : core.config()->namespaces) names.insert(each.name);
  return names;
}

rpc::Status no_namespace(const std::string& name, const std::set<std::string>& known) {
  return {rpc::Code::not_found,
          fmt::format("there is no namespace {}{}", printable(name), did_you_mean(name, {known.begin(), known.end()})),
          {}};
}

rpc::Status no_server(const std::string& name, const ClusterConfig& config) {
  std::vector<std::string> known;
  for (const ServerConfig& each : config.servers) known.push_back(each.identity());
  return {rpc::Code::not_found, fmt::format("there is no server {}{}", printable(name), did_you_mean(name, known)), {}};
}

// A wish as it arrives, made the configuration's: what is not said stays as it is.
Result<> apply(const pb::Namespace& wish, ClusterConfig& config) {
  const NamespaceConfig* known = config.find_namespace(wish.name());
  if (known == nullptr)
    return fail(Errc::not_found, fmt::format("the configuration has no namespace {}", printable(wish.name())));
  NamespaceConfig changed = *known;
  if (wish.has_notifications_enabled()) changed.notifications = wish.notifications_enabled();
  if (wish.replication_factor() != 0) changed.replicas = wish.replication_factor();
  return config.replace(std::move(changed));
}

Result<> apply(const pb::DataServer& wish, ClusterConfig& config) {
  ServerConfig named{.name = wish.identity().name(), .public_address = {}, .internal_address = wish.identity().internal()};
  const ServerConfig* known = config.find_server(named.identity());
  if (known == nullptr) return fail(Errc::not_found, no_server(named.identity(), config).message);
  pb::DataServerIdentity whole = wish.identity();
  if (whole.public_().empty()) whole.set_public_(known->public_address);
  if (whole.internal().empty()) whole.set_internal(known->internal_address);
  TRY(ServerConfig changed, read(whole));
  Labels labels = wish.has_metadata() ? read(wish.metadata()) : config.labels_of(named.identity());
  return config.replace(std::move(changed), std::move(labels));
}

}  // namespace

void AdminService::register_in(rpc::Methods& methods) {
  register_namespaces(methods);
  register_servers(methods);
  methods.unary<pb::SplitShardRequest, pb::SplitShardResponse>(
      oxia_admin_method("SplitShard"), [this](ServerCall&, const pb::SplitShardRequest& request, pb::SplitShardResponse& reply) {
        return split_shard(request, reply);
      });
}

void AdminService::register_namespaces(rpc::Methods& methods) {
  methods.unary<pb::ListNamespacesRequest, pb::ListNamespacesResponse>(
      oxia_admin_method("ListNamespaces"), [this](ServerCall&, const pb::ListNamespacesRequest&,
                                                  pb::ListNamespacesResponse& reply) { return list_namespaces(reply); });
  methods.unary<pb::GetNamespaceRequest, pb::GetNamespaceResponse>(
      oxia_admin_method("GetNamespace"),
      [this](ServerCall&, const pb::GetNamespaceRequest& request, pb::GetNamespaceResponse& reply) {
        return get_namespace(request.namespace_(), *reply.mutable_namespace_());
      });
  methods.unary<pb::CreateNamespaceRequest, pb::CreateNamespaceResponse>(
      oxia_admin_method("CreateNamespace"),
      [this](ServerCall&, const pb::CreateNamespaceRequest& request, pb::CreateNamespaceResponse& reply) {
        return create_namespace(request.namespace_(), *reply.mutable_namespace_());
      });
  methods.unary<pb::PatchNamespaceRequest, pb::PatchNamespaceResponse>(
      oxia_admin_method("PatchNamespace"),
      [this](ServerCall&, const pb::PatchNamespaceRequest& request, pb::PatchNamespaceResponse& reply) {
        return patch_namespace(request.namespace_(), *reply.mutable_namespace_());
      });
  methods.unary<pb::DeleteNamespaceRequest, pb::DeleteNamespaceResponse>(
      oxia_admin_method("DeleteNamespace"),
      [this](ServerCall&, const pb::DeleteNamespaceRequest& request, pb::DeleteNamespaceResponse&) {
        return delete_namespace(request.namespace_());
      });
}

void AdminService::register_servers(rpc::Methods& methods) {
  methods.unary<pb::ListDataServersRequest, pb::ListDataServersResponse>(
      oxia_admin_method("ListDataServers"),
      [this](ServerCall&, const pb::ListDataServersRequest&, pb::ListDataServersResponse& reply) { return list_servers(reply); });
  methods.unary<pb::GetDataServerRequest, pb::GetDataServerResponse>(
      oxia_admin_method("GetDataServer"),
      [this](ServerCall&, const pb::GetDataServerRequest& request, pb::GetDataServerResponse& reply) {
        return get_server(request.data_server(), *reply.mutable_data_server());
      });
  methods.unary<pb::CreateDataServerRequest, pb::CreateDataServerResponse>(
      oxia_admin_method("CreateDataServer"),
      [this](ServerCall&, const pb::CreateDataServerRequest& request, pb::CreateDataServerResponse& reply) {
        return create_server(request.data_server(), *reply.mutable_data_server());
      });
  methods.unary<pb::PatchDataServerRequest, pb::PatchDataServerResponse>(
      oxia_admin_method("PatchDataServer"),
      [this](ServerCall&, const pb::PatchDataServerRequest& request, pb::PatchDataServerResponse& reply) {
        return patch_server(request.data_server(), *reply.mutable_data_server());
      });
  methods.unary<pb::DeleteDataServerRequest, pb::DeleteDataServerResponse>(
      oxia_admin_method("DeleteDataServer"),
      [this](ServerCall&, const pb::DeleteDataServerRequest& request, pb::DeleteDataServerResponse&) {
        return delete_server(request.data_server());
      });
}

std::expected<const ClusterConfig*, rpc::Status> AdminService::config() const {
  const auto core = office_.in_office();
  if (!core) return std::unexpected(core.error());
  if (const ClusterConfig* config = (*core)->config()) return config;
  return std::unexpected(rpc::Status{rpc::Code::unavailable, "the coordinator has not read the cluster's configuration yet", {}});
}

// --- namespaces

Task<rpc::Status> AdminService::list_namespaces(pb::ListNamespacesResponse& reply) {
  const auto core = office_.in_office();
  if (!core) co_return core.error();
  for (const std::string& name : namespaces_of(**core)) write(**core, name, *reply.add_namespaces());
  co_return rpc::Status();
}

Task<rpc::Status> AdminService::get_namespace(const std::string& name, pb::NamespaceView& reply) {
  const auto core = office_.in_office();
  if (!core) co_return core.error();
  const auto known = namespaces_of(**core);
  if (!known.contains(name)) co_return no_namespace(name, known);
  write(**core, name, reply);
  co_return rpc::Status();
}

Task<rpc::Status> AdminService::create_namespace(const pb::Namespace& wish, pb::NamespaceView& reply) {
  const auto before = config();
  if (!before) co_return before.error();
  auto added = read(wish, (*before)->servers.size());
  if (!added) co_return rpc::Status::from(added.error());
  const auto& left = office_.coordinator.in_office()->status().namespaces;
  if (const auto known = left.find(wish.name()); known != left.end() && known->second.deleting) {
    co_return rpc::Status{
        rpc::Code::unavailable,
        fmt::format("the former namespace {} is still being deleted: try again in a moment", printable(wish.name())),
        {}};
  }
  const auto done =
      co_await office_.change_config([added = *std::move(added)](ClusterConfig& config) { return config.add(added); });
  co_return done ? co_await get_namespace(wish.name(), reply) : status_of(done);
}

Task<rpc::Status> AdminService::patch_namespace(const pb::Namespace& wish, pb::NamespaceView& reply) {
  if (wish.initial_shard_count() != 0 || !wish.key_sorting().empty() || wish.anti_affinities_size() > 0) {
    co_return refuse(
        "shards, key sorting and anti-affinities are fixed when a namespace is made: notifications_enabled and "
        "replication_factor can be changed");
  }
  const auto before = config();
  if (!before) co_return before.error();
  const auto done = co_await office_.change_config([wish](ClusterConfig& config) { return apply(wish, config); });
  co_return done ? co_await get_namespace(wish.name(), reply) : status_of(done);
}

// The configuration first: one that still had it would make it anew.
Task<rpc::Status> AdminService::delete_namespace(const std::string& name) {
  const auto before = config();
  if (!before) co_return before.error();
  const auto known = namespaces_of(*office_.coordinator.in_office());
  if (!known.contains(name)) co_return no_namespace(name, known);
  if ((*before)->find_namespace(name) != nullptr) {
    const auto done = co_await office_.change_config([name](ClusterConfig& config) { return config.remove_namespace(name); });
    if (!done) co_return status_of(done);
  }
  const auto core = office_.in_office();
  if (!core) co_return core.error();
  if (!(*core)->status().namespaces.contains(name)) co_return rpc::Status();   // it never came into being
  co_return co_await office_.carry_out((*core)->delete_namespace(name, office_.core.now()));
}

// --- shards

// Answered when the wish is stored: the rest takes its time.
Task<rpc::Status> AdminService::split_shard(const pb::SplitShardRequest& request, pb::SplitShardResponse& reply) {
  const auto core = office_.in_office();
  if (!core) co_return core.error();
  const ShardId shard(request.shard());
  if (auto checked = check_shard(**core, shard, request.namespace_()); !checked.ok()) co_return checked;
  const auto point = request.has_split_point() ? std::optional(request.split_point()) : std::nullopt;
  const auto begun = (*core)->split_shard(shard, point, office_.core.now());
  if (!begun) co_return rpc::Status::from(begun.error());
  reply.set_left_child_shard(begun->children.front().value());
  reply.set_right_child_shard(begun->children.back().value());
  co_return co_await office_.carry_out(begun->stored);
}

// --- servers

Task<rpc::Status> AdminService::list_servers(pb::ListDataServersResponse& reply) {
  const auto known = config();
  if (!known) co_return known.error();
  for (const ServerConfig& each : (*known)->servers) write(*office_.coordinator.in_office(), each, *reply.add_data_servers());
  co_return rpc::Status();
}

Task<rpc::Status> AdminService::get_server(const std::string& name, pb::DataServerView& reply) {
  const auto known = config();
  if (!known) co_return known.error();
  const ServerConfig* server = (*known)->find_server(name);
  if (server == nullptr) co_return no_server(name, **known);
  write(*office_.coordinator.in_office(), *server, reply);
  co_return rpc::Status();
}

Task<rpc::Status> AdminService::create_server(const pb::DataServer& wish, pb::DataServerView& reply) {
  const auto before = config();
  if (!before) co_return before.error();
  const auto added = read(wish.identity());
  if (!added) co_return rpc::Status::from(added.error());
  const auto done = co_await office_.change_config(
      [added = *added, labels = read(wish.metadata())](ClusterConfig& config) { return config.add(added, labels); });
  co_return done ? co_await get_server(added->identity(), reply) : status_of(done);
}

Task<rpc::Status> AdminService::patch_server(const pb::DataServer& wish, pb::DataServerView& reply) {
  const auto before = config();
  if (!before) co_return before.error();
  const std::string name = wish.identity().has_name() ? wish.identity().name() : wish.identity().internal();
  const auto done = co_await office_.change_config([wish](ClusterConfig& config) { return apply(wish, config); });
  co_return done ? co_await get_server(name, reply) : status_of(done);
}

Task<rpc::Status> AdminService::delete_server(const std::string& name) {
  const auto before = config();
  if (!before) co_return before.error();
  const auto done = co_await office_.change_config([name](ClusterConfig& config) { return config.remove_server(name); });
  co_return done ? rpc::Status() : as_precondition(done.error());
}

}  // namespace skerry::control
