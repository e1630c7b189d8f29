// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <string>

#include "control/coordinator.hpp"
#include "runtime/metrics.hpp"

namespace skerry::node {

// Figures of a cluster, as its coordinator sees it: for alarms, and for `skerry top`, which learns here that it looks at a coordinator.
// Out of office all but the first are 0. One core's; the coordinator must outlive it.
class CoordinatorMetrics final : public Collector {
 public:
  // `address` is where the coordinator answers admin tools.
  CoordinatorMetrics(Metrics& metrics, const std::string& address, control::Coordinator& coordinator);
  void collect() override;

 private:
  control::Coordinator& coordinator_;
  Gauge in_office_, epoch_, shards_, leaderless_;
  std::array<Gauge, 4> nodes_;   // by condition
};

}   // namespace skerry::node
