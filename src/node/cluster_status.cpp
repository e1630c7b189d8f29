// SPDX-License-Identifier: Apache-2.0
#include "node/cluster_status.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <charconv>

namespace skerry::node {
namespace {

constexpr int steady_state = 1;   // Oxia's shard states are numbers; a standalone shard is always steady
constexpr std::string_view node_prefix = "node-";

void emit_server(YAML::Emitter& out, std::uint32_t node) {
  out << YAML::Flow << YAML::BeginMap << YAML::Key << "name" << YAML::Value << fmt::format("{}{}", node_prefix, node)
      << YAML::EndMap;
}

void emit_shard(YAML::Emitter& out, ShardId id, const ShardStatus& shard) {
  out << YAML::Key << id.value() << YAML::Value << YAML::BeginMap;
  out << YAML::Key << "status" << YAML::Value << steady_state;
  out << YAML::Key << "term" << YAML::Value << shard.term.value();
  out << YAML::Key << "leader" << YAML::Value;
  emit_server(out, shard.node);
  out << YAML::Key << "ensemble" << YAML::Value << YAML::BeginSeq;
  emit_server(out, shard.node);
  out << YAML::EndSeq;
  out << YAML::Key << "int32HashRange" << YAML::Value << YAML::Flow << YAML::BeginMap;
  out << YAML::Key << "min" << YAML::Value << shard.hashes.min << YAML::Key << "max" << YAML::Value << shard.hashes.max;
  out << YAML::EndMap << YAML::EndMap;
}

// Reads fields and remembers the first thing that is wrong.
class Reader {
 public:
  template <class T>
  T required(const YAML::Node& parent, const char* key) {
    const YAML::Node value = parent[key];
    if (!value) return fail(parent, fmt::format("\"{}\" is missing", key)), T{};
    try {
      return value.as<T>();
    } catch (const YAML::Exception&) {
      return fail(value, fmt::format("\"{}\" has a value of the wrong type", key)), T{};
    }
  }

  std::uint32_t server(const YAML::Node& shard, const YAML::Node& identity) {
    const auto name = required<std::string>(identity, "name");
    std::uint32_t node = 0;
    if (!name.starts_with(node_prefix) ||
        std::from_chars(name.data() + node_prefix.size(), name.data() + name.size(), node).ptr != name.data() + name.size()) {
      fail(shard, fmt::format("\"{}\" is not a node of this folder (node-0, node-1, …)", name));
    }
    return node;
  }

  void fail(const YAML::Node& where, std::string what) {
    if (error.empty()) error = fmt::format("line {}: {}", where.Mark().line + 1, what);
  }

  std::string error;
};

ShardStatus read_shard(Reader& reader, const YAML::Node& node) {
  ShardStatus shard;
  shard.term = Term(reader.required<std::int64_t>(node, "term"));
  shard.node = reader.server(node, reader.required<YAML::Node>(node, "leader"));
  const auto range = reader.required<YAML::Node>(node, "int32HashRange");
  shard.hashes = {reader.required<std::uint32_t>(range, "min"), reader.required<std::uint32_t>(range, "max")};
  return shard;
}

NamespaceStatus read_namespace(Reader& reader, const YAML::Node& node, std::uint32_t nodes) {
  NamespaceStatus space;
  const auto order = reader.required<std::string>(node, "keySorting");
  if (order != "hierarchical" && order != "natural") reader.fail(node, "\"keySorting\" is neither hierarchical nor natural");
  space.order = order == "natural" ? store::KeyOrder::natural : store::KeyOrder::hierarchical;
  space.notifications = reader.required<bool>(node, "notificationsEnabled");
  for (const auto& shard : reader.required<YAML::Node>(node, "shards")) {
    const ShardStatus status = read_shard(reader, shard.second);
    if (status.node >= nodes) reader.fail(shard.second, "the shard lives on a node that the folder does not have");
    space.shards[ShardId(shard.first.as<std::int64_t>())] = status;
  }
  return space;
}

}  // namespace

void ClusterStatus::add_namespace(const std::string& name, const std::vector<control::HashRange>& shards, store::KeyOrder order,
                                  bool notifications) {
  NamespaceStatus& space = namespaces[name];
  space.order = order;
  space.notifications = notifications;
  for (const control::HashRange& range : shards) {
    const auto node = static_cast<std::uint32_t>(next_shard.value() % nodes);
    space.shards[next_shard] = {.term = Term{0}, .node = node, .hashes = range};
    next_shard = next_shard.next();
  }
}

void ClusterStatus::remove_namespace(const std::string& name) {
  const auto found = namespaces.find(name);
  for (const auto& [id, shard] : found->second.shards) deleting[id] = shard.node;
  namespaces.erase(found);
}

std::string ClusterStatus::to_yaml() const {
  YAML::Emitter out;
  out << YAML::BeginMap;
  out << YAML::Key << "instanceId" << YAML::Value << instance_id;
  out << YAML::Key << "nodes" << YAML::Value << nodes;
  out << YAML::Key << "shardIdGenerator" << YAML::Value << next_shard.value();
  out << YAML::Key << "serverIdx" << YAML::Value << 0;
  out << YAML::Key << "namespaces" << YAML::Value << YAML::BeginMap;
  for (const auto& [name, space] : namespaces) {
    out << YAML::Key << name << YAML::Value << YAML::BeginMap;
    out << YAML::Key << "replicationFactor" << YAML::Value << 1;
    out << YAML::Key << "keySorting" << YAML::Value << std::string(store::order_name(space.order));
    out << YAML::Key << "notificationsEnabled" << YAML::Value << space.notifications;
    out << YAML::Key << "shards" << YAML::Value << YAML::BeginMap;
    for (const auto& [id, shard] : space.shards) emit_shard(out, id, shard);
    out << YAML::EndMap << YAML::EndMap;
  }
  out << YAML::EndMap;
  if (!deleting.empty()) {
    out << YAML::Key << "deletingShards" << YAML::Value << YAML::BeginMap;
    for (const auto& [id, node] : deleting) {
      out << YAML::Key << id.value() << YAML::Value;
      emit_server(out, node);
    }
    out << YAML::EndMap;
  }
  out << YAML::EndMap;
  return std::string(out.c_str()) + "\n";
}

Result<ClusterStatus> ClusterStatus::from_yaml(const std::string& text) {
  ClusterStatus status;
  Reader reader;
  try {
    const YAML::Node root = YAML::Load(text);
    if (!root.IsMap()) return fail(Errc::corrupt, "line 1: not a status document");
    status.instance_id = reader.required<std::string>(root, "instanceId");
    status.nodes = reader.required<std::uint32_t>(root, "nodes");
    status.next_shard = ShardId(reader.required<std::int64_t>(root, "shardIdGenerator"));
    for (const auto& space : reader.required<YAML::Node>(root, "namespaces")) {
      status.namespaces[space.first.as<std::string>()] = read_namespace(reader, space.second, status.nodes);
    }
    for (const auto& shard : root["deletingShards"]) {
      const std::uint32_t node = reader.server(shard.second, shard.second);
      if (node >= status.nodes) reader.fail(shard.second, "the shard lives on a node that the folder does not have");
      status.deleting[ShardId(shard.first.as<std::int64_t>())] = node;
    }
  } catch (const YAML::Exception& error) {
    return fail(Errc::corrupt, fmt::format("line {}: {}", error.mark.line + 1, error.msg));
  }
  if (!reader.error.empty()) return fail(Errc::corrupt, reader.error);
  return status;
}

}  // namespace skerry::node
