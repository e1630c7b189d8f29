// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <map>
#include <string>

#include "control/coordinator.hpp"
#include "runtime/metrics.hpp"

namespace skerry::node {

// Figures of a cluster, as its coordinator sees it: for alarms, and for `skerry top`, which learns here that it looks at a
// coordinator. Out of office all but the first are 0, and those of the nodes are not there. One core's; the coordinator must
// outlive it.
class CoordinatorMetrics final : public Collector {
 public:
  // `address` is where the coordinator answers admin tools.
  CoordinatorMetrics(Metrics& metrics, const std::string& address, control::Coordinator& coordinator);
  void collect() override;

 private:
  // Of one node, by its name.
  struct NodeSeries {
    Gauge serving, replicas, leaders;
    Gauge cpu, memory, disk, disk_free, reads, writes;
  };
  void collect_shards(const control::CoordinatorCore& core);
  void collect_nodes(const control::CoordinatorCore& core);
  NodeSeries make_series(const std::string& node) const;

  Metrics& metrics_;
  control::Coordinator& coordinator_;
  std::map<std::string, NodeSeries> node_series_;   // while in office; of nodes that are not lost
  Gauge in_office_, epoch_, shards_, leaderless_, failed_replicas_, given_up_, kept_aside_;
  std::array<Gauge, 4> nodes_;   // by condition
};

}   // namespace skerry::node
