// SPDX-License-Identifier: Apache-2.0
#include "node/coordinator_metrics.hpp"

namespace skerry::node {
namespace {

using control::NodeCondition;

constexpr std::array conditions{std::pair(NodeCondition::unknown, "unknown"), std::pair(NodeCondition::serving, "serving"),
                                std::pair(NodeCondition::suspected, "suspected"), std::pair(NodeCondition::failed, "failed")};

}  // namespace

CoordinatorMetrics::CoordinatorMetrics(Metrics& metrics, const std::string& address, control::Coordinator& coordinator)
    : coordinator_(coordinator),
      in_office_(
          metrics.gauge("skerry_coordinator_in_office", "1 while this coordinator is the one that acts", {{"address", address}})),
      epoch_(metrics.gauge("skerry_coordinator_epoch", "Of this coordinator's term of office")),
      shards_(metrics.gauge("skerry_cluster_shards", "Shards of the cluster")),
      leaderless_(metrics.gauge("skerry_cluster_shards_leaderless", "Shards without a leader")) {
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
  double shards = 0, leaderless = 0;
  std::array<double, conditions.size()> nodes{};
  if (core != nullptr) {
    for (const auto& [id, shard] : core->status().shards) {
      ++shards;
      if (shard.state == control::ShardState::election) ++leaderless;
    }
    for (const auto& [id, node] : core->status().nodes) {
      for (std::size_t n = 0; n < conditions.size(); ++n) nodes[n] += core->condition(id) == conditions[n].first ? 1 : 0;
    }
  }
  shards_.set(shards);
  leaderless_.set(leaderless);
  for (std::size_t n = 0; n < conditions.size(); ++n) nodes_[n].set(nodes[n]);
}

}  // namespace skerry::node
