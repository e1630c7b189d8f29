// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>

#include "disk/log.hpp"
#include "disk/machine_disk.hpp"
#include "node/engine_metrics.hpp"
#include "node/shard_metrics.hpp"
#include "replica/shard_group.hpp"
#include "runtime/applets.hpp"
#include "store/table_engine.hpp"

namespace skerry::node {

struct NodeStorageOptions {
  std::string log_folder;   // holds node-K/log in place of the data folder; empty: the data folder
  disk::LogOptions log;
  replica::ShardGroupOptions group;
  store::TableEngineOptions engine;
};

// What one node keeps: its log, its engine, its group of shards and their figures. Made on the node's core by open(), where the
// shards are not open yet; close() makes everything durable.
class NodeStorage {
 public:
  // `folder` is the node's, of number `number`.
  static Task<Result<std::unique_ptr<NodeStorage>>> open(AppletContext& context, disk::Disk& disk, std::string folder,
                                                         std::uint32_t number, NodeStorageOptions options);
  ~NodeStorage();
  // Which has the log of that node; empty: the node's own folder has it.
  static std::string log_folder(const NodeStorageOptions& options, std::uint32_t number);

  std::uint32_t number() const { return number_; }
  disk::Log& log() { return *log_; }
  store::TableEngine& engine() { return *engine_; }
  replica::ShardGroup& group() { return *group_; }
  ShardMetrics& shard_metrics() { return *shard_metrics_; }
  Task<> close();

 private:
  class LogWatch;
  NodeStorage(AppletContext& context, std::uint32_t number);

  const std::uint32_t number_;
  Logger logger_;
  std::unique_ptr<disk::Log> log_;
  std::unique_ptr<LogWatch> watch_;
  std::unique_ptr<store::TableEngine> engine_;
  std::unique_ptr<EngineMetrics> engine_metrics_;
  std::unique_ptr<replica::ShardGroup> group_;
  std::unique_ptr<ShardMetrics> shard_metrics_;
};

}   // namespace skerry::node
