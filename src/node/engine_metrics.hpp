// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "runtime/task_scope.hpp"
#include "store/table_engine.hpp"

namespace skerry::node {

// The figures of one node's engine, with the label node; and a line in the log when the disk is full and when it no longer is.
// On the node's core; destroy it, after stop(), before the engine.
class EngineMetrics final : public Collector {
 public:
  EngineMetrics(Core& core, Metrics& metrics, Logger log, const store::TableEngine& engine, std::uint32_t node);
  void collect() override;
  Task<> stop() { return tasks_.cancel_and_join(); }

 private:
  using Tables = store::TableFigures;
  using Database = store::RocksDbFigures;
  template <class Figures>
  struct Shown {
    Gauge gauge;       // one of the two
    Counter counter;
    std::uint64_t Figures::* figure;
  };
  Task<> watch();

  Core& core_;
  Logger log_;
  const store::TableEngine& engine_;
  const std::uint32_t node_;
  std::vector<Shown<Tables>> of_tables_;
  std::vector<Shown<Database>> of_database_;
  Gauge last_ingest_, has_room_, obstructed_;
  TaskScope tasks_;
};

}  // namespace skerry::node
