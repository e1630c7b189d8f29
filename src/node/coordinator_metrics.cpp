// SPDX-License-Identifier: Apache-2.0
#include "node/coordinator_metrics.hpp"

#include "control/cluster_view.hpp"

namespace skerry::node {
namespace {

using control::NodeCondition;

constexpr std::array conditions{std::pair(NodeCondition::unknown, "unknown"), std::pair(NodeCondition::serving, "serving"),
                                std::pair(NodeCondition::suspected, "suspected"), std::pair(NodeCondition::failed, "failed")};

}  // namespace

CoordinatorMetrics::CoordinatorMetrics(Metrics& metrics, const std::string& address, control::Coordinator& coordinator)
    : metrics_(metrics), coordinator_(coordinator),
      in_office_(
          metrics.gauge("skerry_coordinator_in_office", "1 while this coordinator is the one that acts", {{"address", address}})),
      epoch_(metrics.gauge("skerry_coordinator_epoch", "Of this coordinator's term of office")),
      shards_(metrics.gauge("skerry_cluster_shards", "Shards of the cluster")),
      leaderless_(metrics.gauge("skerry_cluster_shards_leaderless", "Shards that nobody serves")),
      failed_replicas_(metrics.gauge("skerry_cluster_replicas_failed", "Replicas that say that they can keep nothing any more")),
      given_up_(metrics.gauge("skerry_cluster_nodes_given_up", "Nodes that are lost to damage on their disks")),
      kept_aside_(metrics.gauge("skerry_cluster_folders_kept_aside", "Damaged folders that nobody has deleted yet")) {
  for (std::size_t n = 0; n < conditions.size(); ++n) {
    nodes_[n] =
        metrics.gauge("skerry_cluster_nodes", "Nodes of the cluster, by how they are", {{"condition", conditions[n].second}});
  }
  metrics.add(*this);
}

void CoordinatorMetrics::collect() {
  const control::CoordinatorCore* const core = coordinator_.in_office();
  in_office_.set(core != nullptr ? 1 : 0);
  epoch_.set(core != nullptr ? static_cast<double>(coordinator_.epoch()) : 0);
  if (core == nullptr) {
    for (const Gauge& each : {shards_, leaderless_, failed_replicas_, given_up_, kept_aside_}) each.set(0);
    for (const Gauge& each : nodes_) each.set(0);
    return node_series_.clear();
  }
  collect_shards(*core);
  collect_nodes(*core);
}

void CoordinatorMetrics::collect_shards(const control::CoordinatorCore& core) {
  double leaderless = 0, failed = 0;
  for (const auto& [id, shard] : core.status().shards) {
    const bool should = shard.state == control::ShardState::election || shard.state == control::ShardState::steady;
    if (should && !core.serves(id)) ++leaderless;
    for (const NodeId node : shard.members.members()) {
      const control::ReplicaReport* report = core.report(id, node);
      if (report != nullptr && report->role == control::ReplicaReport::Role::failed) ++failed;
    }
  }
  shards_.set(static_cast<double>(core.status().shards.size()));
  leaderless_.set(leaderless);
  failed_replicas_.set(failed);
}

void CoordinatorMetrics::collect_nodes(const control::CoordinatorCore& core) {
  const control::v1::Cluster cluster = control::nodes_view(core);
  std::array<double, conditions.size()> nodes{};
  double given_up = 0, kept_aside = 0;
  std::map<std::string, NodeSeries> former = std::exchange(node_series_, {});
  for (const auto& node : cluster.nodes()) {
    const NodeCondition condition = core.condition(NodeId(node.node()));
    for (std::size_t n = 0; n < conditions.size(); ++n) nodes[n] += condition == conditions[n].first ? 1 : 0;
    given_up += node.damage().empty() ? 0 : 1;
    kept_aside += node.kept_aside().empty() ? 0 : 1;
    if (node.lost()) continue;
    const auto known = former.find(node.name());
    NodeSeries& series = node_series_[node.name()] = known == former.end() ? make_series(node.name()) : std::move(known->second);
    series.serving.set(condition == NodeCondition::serving ? 1 : 0);
    series.replicas.set(node.replicas());
    series.leaders.set(node.leaders());
    series.cpu.set(node.usage().cpu());
    series.memory.set(static_cast<double>(node.usage().memory_bytes()));
    series.disk.set(static_cast<double>(node.usage().disk_bytes()));
    series.disk_free.set(static_cast<double>(node.usage().disk_free_bytes()));
    series.reads.set(node.usage().reads_per_second());
    series.writes.set(node.usage().writes_per_second());
  }
  for (std::size_t n = 0; n < conditions.size(); ++n) nodes_[n].set(nodes[n]);
  given_up_.set(given_up);
  kept_aside_.set(kept_aside);
}

CoordinatorMetrics::NodeSeries CoordinatorMetrics::make_series(const std::string& node) const {
  const auto gauge = [&](const char* name, const char* help) { return metrics_.gauge(name, help, {{"node", node}}); };
  return {.serving = gauge("skerry_cluster_node_serving", "1 while the node answers as it should"),
          .replicas = gauge("skerry_cluster_node_replicas", "Replicas that the node is to hold"),
          .leaders = gauge("skerry_cluster_node_leaders", "Shards that it leads"),
          .cpu = gauge("skerry_cluster_node_cpu", "Processor time that its process uses, of one core"),
          .memory = gauge("skerry_cluster_node_memory_bytes", "Resident memory of its process"),
          .disk = gauge("skerry_cluster_node_disk_bytes", "Bytes of its log and its replicas"),
          .disk_free = gauge("skerry_cluster_node_disk_free_bytes", "Space that its file system has left"),
          .reads = gauge("skerry_cluster_node_reads_per_second", "Gets, lists and range scans that it answers"),
          .writes = gauge("skerry_cluster_node_writes_per_second", "Puts, deletes and range deletions that it answers")};
}

}  // namespace skerry::node
