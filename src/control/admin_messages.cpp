// SPDX-License-Identifier: Apache-2.0
#include "control/admin_messages.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.hpp"
#include "control/admin_office.hpp"
#include "net/stream.hpp"

namespace skerry::control {
namespace {

namespace pb = io::oxia::proto::v1;

constexpr std::uint32_t replicas_usual = 3;

pb::ShardStatus status_in_oxia(ShardState state) {
  switch (state) {
    case ShardState::steady: return pb::SteadyState;
    case ShardState::election:
    case ShardState::fenced: return pb::Election;
    case ShardState::deleting: return pb::Deleting;
  }
  return pb::ShardStatusUnknown;
}

std::string_view name_of(store::KeyOrder order) { return order == store::KeyOrder::natural ? "natural" : "hierarchical"; }

Result<AntiAffinity> read_rule(const pb::AntiAffinity& wish) {
  AntiAffinity rule{.labels = {wish.labels().begin(), wish.labels().end()}};
  if (wish.mode() == "relaxed") rule.mode = AntiAffinity::Mode::relaxed;
  if (wish.mode() != "relaxed" && wish.mode() != "strict" && !wish.mode().empty()) {
    return fail(Errc::invalid_argument,
                fmt::format("an anti-affinity's mode is {}; expected \"strict\" or \"relaxed\"", printable(wish.mode())));
  }
  return rule;
}

void write(const NodeStatus& node, pb::DataServerIdentity& identity) {
  if (node.name != node.internal_address) identity.set_name(node.name);
  identity.set_public_(node.public_address);
  identity.set_internal(node.internal_address);
}

// Of a split or a merge that has not ended: clients don't see it yet.
bool is_child(const ClusterStatus& status, ShardId id, const ShardStatus& shard) {
  if (!shard.reshaped_with) return false;
  const std::vector<ShardId>& children = status.shards.at(*shard.reshaped_with).reshape->children;
  return std::ranges::find(children, id) != children.end();
}

void write(const ClusterStatus& status, const ShardStatus& shard, pb::ShardMetadata& written) {
  written.set_status(status_in_oxia(shard.state));
  written.set_term(shard.term.value());
  if (shard.leader) write(status.nodes.at(*shard.leader), *written.mutable_leader());
  for (const NodeId node : shard.members.voters) write(status.nodes.at(node), *written.add_ensemble());
  written.mutable_int32_hash_range()->set_min(shard.hashes.min);
  written.mutable_int32_hash_range()->set_max(shard.hashes.max);
}

void write(const NamespaceConfig& config, pb::Namespace& written) {
  written.set_initial_shard_count(config.shards);
  written.set_replication_factor(config.replicas);
  written.set_notifications_enabled(config.notifications);
  written.set_key_sorting(std::string(name_of(config.order)));
  for (const AntiAffinity& rule : config.anti_affinities) {
    pb::AntiAffinity& each = *written.add_anti_affinities();
    for (const std::string& label : rule.labels) each.add_labels(label);
    each.set_mode(rule.mode == AntiAffinity::Mode::strict ? "strict" : "relaxed");
  }
}

pb::DataServerState state_of(const CoordinatorCore& core, const ServerConfig& server) {
  const auto node = node_named(core.status(), server.identity());
  if (!node) return pb::DATA_SERVER_STATE_UNAVAILABLE;
  if (core.status().nodes.at(*node).draining) return pb::DATA_SERVER_STATE_DRAINING;
  const NodeCondition condition = core.condition(*node);
  const bool there = condition == NodeCondition::serving || condition == NodeCondition::suspected;
  return there ? pb::DATA_SERVER_STATE_RUNNING : pb::DATA_SERVER_STATE_UNAVAILABLE;
}

}  // namespace

Result<NamespaceConfig> read(const pb::Namespace& wish, std::size_t servers) {
  NamespaceConfig config{.name = wish.name(), .shards = wish.initial_shard_count(), .replicas = wish.replication_factor()};
  if (wish.key_sorting() != "natural" && wish.key_sorting() != "hierarchical") {
    return fail(Errc::invalid_argument,
                fmt::format("key_sorting is {}; expected \"hierarchical\" or \"natural\"", printable(wish.key_sorting())));
  }
  if (config.replicas == 0) config.replicas = std::clamp(static_cast<std::uint32_t>(servers), 1u, replicas_usual);
  config.order = wish.key_sorting() == "natural" ? store::KeyOrder::natural : store::KeyOrder::hierarchical;
  config.notifications = !wish.has_notifications_enabled() || wish.notifications_enabled();
  for (const pb::AntiAffinity& each : wish.anti_affinities()) {
    TRY(AntiAffinity rule, read_rule(each));
    config.anti_affinities.push_back(std::move(rule));
  }
  return config;
}

Result<ServerConfig> read(const pb::DataServerIdentity& identity) {
  ServerConfig server{.name = identity.name(), .public_address = identity.public_(), .internal_address = identity.internal()};
  for (const auto& [what, address] :
       {std::pair("public", server.public_address), std::pair("internal", server.internal_address)}) {
    if (const auto parsed = net::Address::parse(address); !parsed) {
      return fail(Errc::invalid_argument, fmt::format("the {} address of the server: {}", what, parsed.error().message()));
    }
  }
  return server;
}

Labels read(const pb::DataServerMetadata& metadata) { return {metadata.labels().begin(), metadata.labels().end()}; }

void write(const CoordinatorCore& core, const std::string& name, pb::NamespaceView& view) {
  const ClusterStatus& status = core.status();
  const NamespaceConfig* config = core.config() != nullptr ? core.config()->find_namespace(name) : nullptr;
  const auto known = status.namespaces.find(name);
  SKERRY_ASSERT(config != nullptr || known != status.namespaces.end());
  pb::Namespace& shown = *view.mutable_namespace_();
  shown.set_name(name);
  std::uint32_t shards = 0;
  for (const auto& [id, shard] : status.shards) {
    if (shard.name_space != name || is_child(status, id, shard)) continue;
    ++shards;
    write(status, shard, (*view.mutable_namespace_status()->mutable_shards())[id.value()]);
  }
  if (config != nullptr) {
    write(*config, shown);
  } else {
    write(NamespaceConfig{.name = name,
                          .shards = shards,
                          .replicas = known->second.replicas,
                          .notifications = known->second.notifications,
                          .order = known->second.order},
          shown);
  }
  view.mutable_namespace_status()->set_replication_factor(known != status.namespaces.end() ? known->second.replicas : 0);
}

void write(const CoordinatorCore& core, const ServerConfig& server, pb::DataServerView& view) {
  pb::DataServerIdentity& identity = *view.mutable_data_server()->mutable_identity();
  if (!server.name.empty()) identity.set_name(server.name);
  identity.set_public_(server.public_address);
  identity.set_internal(server.internal_address);
  auto& labels = *view.mutable_data_server()->mutable_metadata()->mutable_labels();
  for (const auto& [label, value] : core.config()->labels_of(server.identity())) labels[label] = value;
  view.mutable_data_server_status()->set_state(state_of(core, server));
}

}  // namespace skerry::control
