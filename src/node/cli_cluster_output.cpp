// SPDX-License-Identifier: Apache-2.0
#include "node/cli_cluster_output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <map>

#include "node/cli_document.hpp"

namespace skerry::node {
namespace {

namespace v1 = control::v1;
namespace json = boost::json;

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string_view kind_mark(v1::ClusterReplica::Kind kind) {
  switch (kind) {
    case v1::ClusterReplica::JOINING: return "(joining)";
    case v1::ClusterReplica::LEAVING: return "(leaving)";
    case v1::ClusterReplica::LEARNER: return "(learner)";
    case v1::ClusterReplica::REMOVED: return "(removed)";
    default: return "";
  }
}

std::string waits_for(const v1::ClusterNode& node) {
  if (!node.trouble().empty()) return node.trouble();
  if (node.why_not_drained().empty() && !node.kept_aside().empty()) {
    return fmt::format("nothing; what was damaged is kept in {} until somebody deletes it", node.kept_aside());
  }
  return node.why_not_drained();
}

json::object value_of(const v1::ClusterNode& node) {
  json::object value{{"node", node.node()},
                     {"name", node.name()},
                     {"public", node.public_()},
                     {"internal", node.internal()},
                     {"pool", node.pool()},
                     {"version", node.version()},
                     {"condition", lower(v1::ClusterNode::Condition_Name(node.condition()))},
                     {"bound", node.bound()},
                     {"lost", node.lost()},
                     {"draining", node.draining()},
                     {"removed", node.removed()},
                     {"replicas", node.replicas()},
                     {"leaders", node.leaders()},
                     {"why_not_drained", node.why_not_drained()},
                     {"trouble", node.trouble()},
                     {"damage", node.damage()},
                     {"kept_aside", node.kept_aside()}};
  if (!node.has_usage()) return value;
  const v1::Usage& usage = node.usage();
  value["usage"] = json::object{{"cpu", usage.cpu()},
                                {"memory_bytes", usage.memory_bytes()},
                                {"disk_bytes", usage.disk_bytes()},
                                {"disk_free_bytes", usage.disk_free_bytes()},
                                {"reads_per_second", usage.reads_per_second()},
                                {"writes_per_second", usage.writes_per_second()},
                                {"stalls", usage.stalls()}};
  return value;
}

json::object value_of(const v1::ClusterNamespace& space) {
  return {{"name", space.name()},
          {"shards", space.shards()},
          {"replicas", space.replicas()},
          {"notifications", space.notifications()},
          {"key_sorting", lower(v1::KeyOrder_Name(space.key_order()))},
          {"deleting", space.deleting()},
          {"why_missing", space.why_missing()}};
}

json::object value_of(const v1::Cluster& cluster, const v1::ClusterReplica& replica) {
  return {{"node", node_name(cluster, replica.node())},
          {"kind", lower(v1::ClusterReplica::Kind_Name(replica.kind()))},
          {"role", replica.reported() ? lower(v1::ReplicaReport::Role_Name(replica.role())) : "unknown"},
          {"head", replica.head()},
          {"commit", replica.commit()},
          {"lag", replica.lag()},
          {"streaming", replica.streaming()},
          {"reason", replica.reason()}};
}

json::object value_of(const v1::ClusterReshape& reshape) {
  return {{"phase", lower(v1::ClusterReshape::Phase_Name(reshape.phase()))},
          {"parents", json::array(reshape.parents().begin(), reshape.parents().end())},
          {"children", json::array(reshape.children().begin(), reshape.children().end())}};
}

json::object value_of(const v1::Cluster& cluster, const v1::ClusterShard& shard) {
  json::array replicas, wanted;
  for (const v1::ClusterReplica& each : shard.replicas()) replicas.push_back(value_of(cluster, each));
  for (const std::uint32_t node : shard.wanted()) wanted.push_back(json::value(node_name(cluster, node)));
  return {{"shard", shard.shard()},
          {"namespace", shard.namespace_()},
          {"min_hash", shard.hash_min()},
          {"max_hash", shard.hash_max()},
          {"state", lower(v1::ClusterShard::State_Name(shard.state()))},
          {"term", shard.term()},
          {"leader", shard.has_leader() ? json::value(node_name(cluster, shard.leader())) : json::value(nullptr)},
          {"serving", shard.serving()},
          {"head", shard.head()},
          {"commit", shard.commit()},
          {"bytes", shard.bytes()},
          {"reads", shard.reads()},
          {"writes", shard.writes()},
          {"replicas", std::move(replicas)},
          {"wanted", std::move(wanted)},
          {"why_not_yet", shard.why_not_yet()},
          {"given_up", shard.given_up()},
          {"reshape", shard.has_reshape() ? json::value(value_of(shard.reshape())) : json::value(nullptr)}};
}

// What it waits for, or what has come of the last wish.
std::string waits_for(const v1::ClusterShard& shard) {
  return shard.why_not_yet().empty() ? shard.given_up() : shard.why_not_yet();
}

// Of a shard, as it is told when it changes.
std::string state_text(const v1::Cluster& cluster, const v1::ClusterShard& shard) {
  std::string text = lower(v1::ClusterShard::State_Name(shard.state()));
  if (shard.has_leader())
    text = fmt::format("led by {}{}", node_name(cluster, shard.leader()), shard.serving() ? "" : ", which does not serve yet");
  return fmt::format("{}, term {}, on {}", text, shard.term(), replicas_text(cluster, shard));
}

std::vector<std::string> row_of(const v1::Cluster& cluster, const v1::ClusterShard& shard) {
  return {fmt::to_string(shard.shard()),
          shard.namespace_(),
          fmt::format("{:08x}-{:08x}", shard.hash_min(), shard.hash_max()),
          lower(v1::ClusterShard::State_Name(shard.state())),
          fmt::to_string(shard.term()),
          replicas_text(cluster, shard),
          lag_text(shard),
          waits_for(shard)};
}

const std::vector<std::string> shard_head{"SHARD", "NAMESPACE", "HASHES", "STATE", "TERM", "REPLICAS", "LAG", "WAITS FOR"};

std::string state_of(const v1::Cluster& cluster, const v1::ClusterNamespace& space) {
  if (space.deleting()) return "being deleted";
  if (!space.why_missing().empty()) return space.why_missing();
  const auto serving = std::ranges::count_if(cluster.shards(), [&](const v1::ClusterShard& each) {
    return each.namespace_() == space.name() && each.serving();
  });
  const auto not_to_serve = std::ranges::count_if(cluster.shards(), [&](const v1::ClusterShard& each) {   // yet, or any more
    return each.namespace_() == space.name() && !each.serving() && each.has_reshape();
  });
  const auto wanted = std::max<std::int64_t>(space.shards() - not_to_serve, 1);
  return serving >= wanted ? "ready" : fmt::format("{} of {} shards serve", serving, wanted);
}

std::string namespaces_table(const v1::Cluster& cluster) {
  std::vector<std::vector<std::string>> rows{{"NAMESPACE", "SHARDS", "REPLICAS", "STATE"}};
  for (const v1::ClusterNamespace& each : cluster.namespaces()) {
    rows.push_back(
        {each.name(), fmt::to_string(each.shards()), fmt::to_string(each.replicas()), state_of(cluster, each)});
  }
  return table_text(rows);
}

std::string shards_summary(const v1::Cluster& cluster) {
  std::vector<std::vector<std::string>> rows{shard_head};
  for (const v1::ClusterShard& each : cluster.shards()) {
    if (!each.why_not_yet().empty() || each.state() != v1::ClusterShard::STEADY) rows.push_back(row_of(cluster, each));
  }
  if (rows.size() > 1) return table_text(rows);
  return fmt::format("{} shards, each with a leader and the members it should have.\n", cluster.shards_size());
}

std::string status_table(const v1::Cluster& cluster) {
  std::string text =
      fmt::format("cluster {}   coordinator {}   epoch {}\n", cluster.instance(), cluster.coordinator(), cluster.epoch());
  if (!cluster.configured()) text += "The coordinator has not read the cluster's configuration: nothing is placed or moved.\n";
  return text + "\n" + nodes_text(cluster, AdminFormat::table) + "\n" + namespaces_table(cluster) + "\n" +
         shards_summary(cluster);
}

}  // namespace

const v1::ClusterNode* find_node(const v1::Cluster& cluster, const std::string& text) {
  const v1::ClusterNode* found = nullptr;
  for (const v1::ClusterNode& each : cluster.nodes()) {
    if (each.name() == text && !each.lost()) return &each;
    if (fmt::to_string(each.node()) == text) found = &each;
  }
  return found;
}

std::string node_name(const v1::Cluster& cluster, std::uint32_t node) {
  const auto found = std::ranges::find(cluster.nodes(), node, &v1::ClusterNode::node);
  return found == cluster.nodes().end() ? fmt::format("#{}", node) : found->name();
}

std::string condition_text(const v1::ClusterNode& node) {
  std::string text = lower(v1::ClusterNode::Condition_Name(node.condition()));
  if (node.lost()) text = node.damage().empty() ? "lost its folder" : "was damaged";
  if (node.draining()) text += node.why_not_drained().empty() ? ", drained" : ", draining";
  if (node.removed()) text += ", leaving";
  return text;
}

std::string replicas_text(const v1::Cluster& cluster, const v1::ClusterShard& shard) {
  std::string text;
  for (const v1::ClusterReplica& each : shard.replicas()) {
    const bool leads = shard.has_leader() && shard.leader() == each.node();
    text += fmt::format("{}{}{}{}", text.empty() ? "" : " ", node_name(cluster, each.node()), leads ? "*" : "",
                        kind_mark(each.kind()));
  }
  return text;
}

std::string lag_text(const v1::ClusterShard& shard) {
  if (!shard.serving()) return "-";
  std::uint64_t lag = 0;
  for (const v1::ClusterReplica& each : shard.replicas()) lag = std::max(lag, each.lag());
  return fmt::to_string(lag);
}

std::vector<std::string> cluster_changes(const v1::Cluster& before, const v1::Cluster& after) {
  std::vector<std::string> changes;
  std::map<std::uint32_t, std::string> conditions;
  for (const v1::ClusterNode& each : before.nodes()) conditions[each.node()] = condition_text(each);
  for (const v1::ClusterNode& each : after.nodes()) {
    const std::string condition = condition_text(each);
    if (conditions[each.node()] != condition) changes.push_back(fmt::format("{}: {}", each.name(), condition));
  }
  std::map<std::int64_t, std::string> members;
  for (const v1::ClusterShard& each : before.shards()) members[each.shard()] = state_text(before, each);
  for (const v1::ClusterShard& each : after.shards()) {
    const std::string state = state_text(after, each);
    if (members[each.shard()] != state)
      changes.push_back(fmt::format("shard {} of {}: {}", each.shard(), each.namespace_(), state));
    members.erase(each.shard());
  }
  for (const auto& [shard, state] : members) changes.push_back(fmt::format("shard {} is deleted", shard));
  return changes;
}

bool all_led(const v1::Cluster& cluster) {
  if (!cluster.configured() || cluster.namespaces().empty()) return false;
  const auto missing = [](const v1::ClusterNamespace& each) {
    return !each.deleting() && (!each.why_missing().empty() || each.shards() == 0);
  };
  const auto led = [](const v1::ClusterShard& each) { return each.state() == v1::ClusterShard::DELETING || each.serving(); };
  return std::ranges::none_of(cluster.namespaces(), missing) && std::ranges::all_of(cluster.shards(), led);
}

std::string nodes_text(const v1::Cluster& cluster, AdminFormat format) {
  json::array values;
  std::string names;
  std::vector<std::vector<std::string>> rows{
      {"NODE", "NAME", "CONDITION", "REPLICAS", "LEADERS", "DISK MiB", "FREE MiB", "POOL", "VERSION", "WAITS FOR"}};
  for (const v1::ClusterNode& each : cluster.nodes()) {
    values.push_back(value_of(each));
    names += each.name() + "\n";
    const bool used = each.has_usage();
    rows.push_back({fmt::to_string(each.node()), each.name(), condition_text(each), fmt::to_string(each.replicas()),
                    fmt::to_string(each.leaders()), used ? mebibytes(each.usage().disk_bytes()) : "-",
                    used ? mebibytes(each.usage().disk_free_bytes()) : "-", each.pool(), each.version(), waits_for(each)});
  }
  if (format == AdminFormat::name) return names;
  return format == AdminFormat::table ? table_text(rows) : document_text(values, format);
}

std::string shards_text(const v1::Cluster& cluster, AdminFormat format, const std::string& name_space) {
  json::array values;
  std::string names;
  std::vector<std::vector<std::string>> rows{shard_head};
  for (const v1::ClusterShard& each : cluster.shards()) {
    if (!name_space.empty() && each.namespace_() != name_space) continue;
    values.push_back(value_of(cluster, each));
    names += fmt::format("{}\n", each.shard());
    rows.push_back(row_of(cluster, each));
  }
  if (format == AdminFormat::name) return names;
  return format == AdminFormat::table ? table_text(rows) : document_text(values, format);
}

std::string cluster_text(const v1::Cluster& cluster, AdminFormat format) {
  if (format == AdminFormat::table) return status_table(cluster);
  if (format == AdminFormat::name) return cluster.instance() + "\n";
  json::array nodes, namespaces, shards;
  for (const v1::ClusterNode& each : cluster.nodes()) nodes.push_back(value_of(each));
  for (const v1::ClusterNamespace& each : cluster.namespaces()) namespaces.push_back(value_of(each));
  for (const v1::ClusterShard& each : cluster.shards()) shards.push_back(value_of(cluster, each));
  return document_text(json::object{{"instance", cluster.instance()},
                                    {"epoch", cluster.epoch()},
                                    {"coordinator", cluster.coordinator()},
                                    {"configured", cluster.configured()},
                                    {"nodes", std::move(nodes)},
                                    {"namespaces", std::move(namespaces)},
                                    {"shards", std::move(shards)}},
                       format);
}

}  // namespace skerry::node
