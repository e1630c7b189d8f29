// SPDX-License-Identifier: Apache-2.0
// The cluster's configuration from and to Oxia's YAML.
#include <fmt/format.h>

#include "base/limits.hpp"
#include "base/nearest.hpp"
#include "control/cluster_config.hpp"
#include "control/config_reader.hpp"
#include "net/stream.hpp"
#include "runtime/setting_value.hpp"

namespace skerry::control {
namespace {

const std::vector<std::string> root_keys = {"namespaces",   "servers",  "allowExtraAuthorities", "serverMetadata", "loadBalancer",
                                            "coordinators", "autoSplit"};
const std::vector<std::string> namespace_keys = {"name",       "initialShardCount", "replicationFactor", "notificationsEnabled",
                                                 "keySorting", "antiAffinities"};

std::string called(const char* what, const YAML::Node& node) {
  const YAML::Node name = node.IsMap() ? node["name"] : YAML::Node();
  return name && name.IsScalar() ? fmt::format("{} \"{}\"", what, name.Scalar()) : fmt::format("a {}", what);
}

std::string read_address(ConfigReader& reader, const YAML::Node& map, const char* key, const std::string& what) {
  const std::string text = reader.text(map, key, what);
  if (reader.failed()) return text;
  const auto address = net::Address::parse(text);
  if (!address) {
    reader.refuse(map[key], fmt::format("\"{}\" of {}: {}", key, what, address.error().text));
  } else if (address->host.empty() || address->port == 0) {
    reader.refuse(map[key], fmt::format("\"{}\" of {} is \"{}\": others can't reach that; give host and port", key, what, text));
  }
  return text;
}

AntiAffinity read_anti_affinity(ConfigReader& reader, const YAML::Node& node, const std::string& of) {
  AntiAffinity rule;
  const std::string what = "an anti-affinity of " + of;
  if (!reader.map(node, what, {"labels", "mode"})) return rule;
  if (reader.list(node["labels"], "\"labels\" of " + what)) {
    for (const auto& label : node["labels"]) rule.labels.push_back(reader.scalar(label, "a label of " + what));
  }
  if (rule.labels.empty()) reader.refuse(node, what + " needs \"labels\"");
  const std::string mode = reader.optional_text(node, "mode", what).value_or("strict");
  if (mode != "strict" && mode != "relaxed") {
    reader.refuse(node["mode"], fmt::format("\"mode\" of {} is \"{}\": give strict or relaxed{}", what, mode,
                                            did_you_mean(mode, {"strict", "relaxed"})));
  }
  rule.mode = mode == "relaxed" ? AntiAffinity::Mode::relaxed : AntiAffinity::Mode::strict;
  return rule;
}

NamespaceConfig read_namespace(ConfigReader& reader, const YAML::Node& node) {
  NamespaceConfig space;
  const std::string what = called("namespace", node);
  if (!reader.map(node, what, namespace_keys)) {
    reader.refuse(node, what + " must be a map of fields");
    return space;
  }
  space.name = reader.text(node, "name", what);
  if (const auto named = check_namespace_name(space.name); !named) reader.refuse(node["name"], named.error().text);
  space.shards = reader.number(node, "initialShardCount", what, {1, limits::namespace_shards_max}, 1);
  space.replicas = reader.number(node, "replicationFactor", what, {1, limits::replicas_max}, 1);
  space.notifications = reader.boolean(node, "notificationsEnabled", what, true);
  const std::string order = reader.optional_text(node, "keySorting", what).value_or("hierarchical");
  if (order != "hierarchical" && order != "natural") {
    reader.refuse(node["keySorting"], fmt::format("\"keySorting\" of {} is \"{}\": give hierarchical or natural{}", what, order,
                                                  did_you_mean(order, {"hierarchical", "natural"})));
  }
  space.order = order == "natural" ? store::KeyOrder::natural : store::KeyOrder::hierarchical;
  if (reader.list(node["antiAffinities"], "\"antiAffinities\" of " + what)) {
    for (const auto& rule : node["antiAffinities"]) space.anti_affinities.push_back(read_anti_affinity(reader, rule, what));
  }
  return space;
}

ServerConfig read_server(ConfigReader& reader, const YAML::Node& node) {
  ServerConfig server;
  const std::string what = called("server", node);
  if (!reader.map(node, what, {"name", "public", "internal"})) {
    reader.refuse(node, what + " must be a map of fields");
    return server;
  }
  server.name = reader.optional_text(node, "name", what).value_or("");
  server.public_address = read_address(reader, node, "public", what);
  server.internal_address = read_address(reader, node, "internal", what);
  return server;
}

Labels read_labels(ConfigReader& reader, const YAML::Node& node, const std::string& server) {
  Labels labels;
  const std::string what = fmt::format("the metadata of \"{}\"", server);
  if (!reader.map(node, what, {"labels"})) return labels;
  const YAML::Node map = node["labels"];
  if (!map || map.IsNull()) return labels;
  if (!map.IsMap()) {
    reader.refuse(map, "\"labels\" of " + what + " must be a map from names to values");
    return labels;
  }
  for (const auto& label : map) {
    labels[reader.scalar(label.first, "a label's name in " + what)] = reader.scalar(label.second, "a label's value in " + what);
  }
  return labels;
}

LoadBalancer read_balancer(ConfigReader& reader, const YAML::Node& node) {
  LoadBalancer balancer;
  const std::string what = "loadBalancer";
  if (!reader.map(node, what, {"scheduleInterval", "quarantineTime"})) return balancer;
  balancer.interval = reader.duration(node, "scheduleInterval", what, balancer.interval);
  balancer.quarantine = reader.duration(node, "quarantineTime", what, balancer.quarantine);
  return balancer;
}

AutoSplit read_auto_split(ConfigReader& reader, const YAML::Node& node) {
  AutoSplit split;
  const std::string what = "autoSplit";
  if (!reader.map(node, what,
                  {"enabled", "maxShardSizeMb", "maxThroughputOps", "stabilizationPeriod", "cooldownPeriod",
                   "maxShardsPerNamespace", "collectionInterval"})) {
    return split;
  }
  split.enabled = reader.boolean(node, "enabled", what, split.enabled);
  split.shard_mebibytes_max = reader.number(node, "maxShardSizeMb", what, {.min = 1}, split.shard_mebibytes_max);
  split.shard_operations_max = reader.number(node, "maxThroughputOps", what, {.min = 1}, split.shard_operations_max);
  split.stable = reader.duration(node, "stabilizationPeriod", what, split.stable);
  split.cooldown = reader.duration(node, "cooldownPeriod", what, split.cooldown);
  split.shards_max = reader.number(node, "maxShardsPerNamespace", what, {1, limits::namespace_shards_max}, split.shards_max);
  split.interval = reader.duration(node, "collectionInterval", what, split.interval);
  return split;
}

CoordinatorConfig read_coordinator(ConfigReader& reader, const YAML::Node& node) {
  CoordinatorConfig coordinator;
  const std::string what = called("coordinator", node);
  if (!reader.map(node, what, {"name", "publicAddress"})) return coordinator;
  coordinator.name = reader.text(node, "name", what);
  coordinator.public_address = read_address(reader, node, "publicAddress", what);
  return coordinator;
}

ClusterConfig read_config(ConfigReader& reader, const YAML::Node& root) {
  ClusterConfig config;
  if (!reader.map(root, "the configuration", root_keys)) return config;
  if (reader.list(root["namespaces"], "\"namespaces\"")) {
    for (const auto& node : root["namespaces"]) config.namespaces.push_back(read_namespace(reader, node));
  }
  if (reader.list(root["servers"], "\"servers\"")) {
    for (const auto& node : root["servers"]) config.servers.push_back(read_server(reader, node));
  }
  if (reader.list(root["allowExtraAuthorities"], "\"allowExtraAuthorities\"")) {
    for (const auto& node : root["allowExtraAuthorities"])
      config.extra_authorities.push_back(reader.scalar(node, "an authority"));
  }
  const YAML::Node metadata = root["serverMetadata"];
  if (metadata && !metadata.IsNull() && !metadata.IsMap()) {
    reader.refuse(metadata, "\"serverMetadata\" must be a map from servers to their labels");
  } else if (metadata && !metadata.IsNull()) {
    for (const auto& each : metadata) {
      const std::string server = reader.scalar(each.first, "a server's name in \"serverMetadata\"");
      config.labels[server] = read_labels(reader, each.second, server);
    }
  }
  config.balancer = read_balancer(reader, root["loadBalancer"]);
  if (reader.list(root["coordinators"], "\"coordinators\"")) {
    for (const auto& node : root["coordinators"]) config.coordinators.push_back(read_coordinator(reader, node));
  }
  config.auto_split = read_auto_split(reader, root["autoSplit"]);
  return config;
}

// --- to YAML

template <class Value>
void put(YAML::Emitter& out, const char* key, const Value& value) {
  out << YAML::Key << key << YAML::Value << value;
}

void write(YAML::Emitter& out, const NamespaceConfig& space) {
  out << YAML::BeginMap;
  put(out, "name", space.name);
  put(out, "initialShardCount", space.shards);
  put(out, "replicationFactor", space.replicas);
  put(out, "notificationsEnabled", space.notifications);
  put(out, "keySorting", space.order == store::KeyOrder::natural ? "natural" : "hierarchical");
  if (!space.anti_affinities.empty()) {
    out << YAML::Key << "antiAffinities" << YAML::Value << YAML::BeginSeq;
    for (const AntiAffinity& rule : space.anti_affinities) {
      out << YAML::BeginMap;
      put(out, "labels", rule.labels);
      put(out, "mode", rule.mode == AntiAffinity::Mode::relaxed ? "relaxed" : "strict");
      out << YAML::EndMap;
    }
    out << YAML::EndSeq;
  }
  out << YAML::EndMap;
}

void write(YAML::Emitter& out, const ServerConfig& server) {
  out << YAML::BeginMap;
  if (!server.name.empty()) put(out, "name", server.name);
  put(out, "public", server.public_address);
  put(out, "internal", server.internal_address);
  out << YAML::EndMap;
}

void write(YAML::Emitter& out, const CoordinatorConfig& coordinator) {
  out << YAML::BeginMap;
  put(out, "name", coordinator.name);
  put(out, "publicAddress", coordinator.public_address);
  out << YAML::EndMap;
}

template <class Values>
void write_list(YAML::Emitter& out, const char* key, const Values& values) {
  out << YAML::Key << key << YAML::Value << YAML::BeginSeq;
  for (const auto& value : values) write(out, value);
  out << YAML::EndSeq;
}

void write(YAML::Emitter& out, const AutoSplit& split) {
  out << YAML::Key << "autoSplit" << YAML::Value << YAML::BeginMap;
  put(out, "enabled", split.enabled);
  put(out, "maxShardSizeMb", split.shard_mebibytes_max);
  put(out, "maxThroughputOps", split.shard_operations_max);
  put(out, "stabilizationPeriod", duration_text(split.stable));
  put(out, "cooldownPeriod", duration_text(split.cooldown));
  put(out, "maxShardsPerNamespace", split.shards_max);
  put(out, "collectionInterval", duration_text(split.interval));
  out << YAML::EndMap;
}

void write_labels(YAML::Emitter& out, const std::map<std::string, Labels>& labels) {
  out << YAML::Key << "serverMetadata" << YAML::Value << YAML::BeginMap;
  for (const auto& [server, its] : labels) {
    out << YAML::Key << server << YAML::Value << YAML::BeginMap;
    put(out, "labels", its);
    out << YAML::EndMap;
  }
  out << YAML::EndMap;
}

}  // namespace

Result<ClusterConfig> ClusterConfig::from_yaml(const std::string& text) {
  ConfigReader reader;
  ClusterConfig config;
  try {
    const YAML::Node root = YAML::Load(text);
    if (!root.IsMap())
      return fail(Errc::invalid_argument, "the cluster's configuration is empty: give it \"servers\" and \"namespaces\"");
    config = read_config(reader, root);
  } catch (const YAML::Exception& error) {
    return fail(Errc::invalid_argument, fmt::format("the cluster's configuration, line {}: {}", error.mark.line + 1, error.msg));
  }
  if (reader.failed()) return fail(Errc::invalid_argument, "the cluster's configuration, " + reader.error());
  TRYV(config.check());
  return config;
}

std::string ClusterConfig::to_yaml() const {
  YAML::Emitter out;
  out << YAML::BeginMap;
  write_list(out, "namespaces", namespaces);
  write_list(out, "servers", servers);
  if (!extra_authorities.empty()) put(out, "allowExtraAuthorities", extra_authorities);
  if (!labels.empty()) write_labels(out, labels);
  if (balancer != LoadBalancer()) {
    out << YAML::Key << "loadBalancer" << YAML::Value << YAML::BeginMap;
    put(out, "scheduleInterval", duration_text(balancer.interval));
    put(out, "quarantineTime", duration_text(balancer.quarantine));
    out << YAML::EndMap;
  }
  if (!coordinators.empty()) write_list(out, "coordinators", coordinators);
  if (auto_split != AutoSplit()) write(out, auto_split);
  out << YAML::EndMap;
  return std::string(out.c_str()) + "\n";
}

}  // namespace skerry::control
