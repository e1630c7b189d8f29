// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "replica/shard.hpp"
#include "runtime/metrics.hpp"

namespace skerry::node {

// The figures of one node's shards under the names that dashboards for Oxia read, with the labels oxia_namespace and shard.
// On the node's core; destroy it before the shards.
class ShardMetrics final : public Collector {
 public:
  explicit ShardMetrics(Metrics& metrics) : metrics_(metrics) { metrics_.add(*this); }
  void add(const std::string& space, const replica::Shard& shard);
  void remove(ShardId shard);   // before the shard goes
  void collect() override;

 private:
  struct Series;
  Metrics& metrics_;
  std::vector<std::shared_ptr<Series>> shards_;
};

}  // namespace skerry::node
