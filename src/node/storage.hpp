// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "disk/machine_disk.hpp"
#include "node/data_folder.hpp"
#include "node/node_storage.hpp"
#include "runtime/applets.hpp"
#include "serve/shard_directory.hpp"

namespace skerry::node {

struct StorageOptions {
  const DataFolder* folder = nullptr;       // outlives the applet
  NodeStorageOptions node;                  // of each; the engine's budget is the process's, shared evenly by the nodes
};

// The nodes of a nodepool: node K, with its log, engine and shards, lives on core K modulo the number of cores.
// start() recovers every shard; stop() makes them durable, so that the next start replays nothing.
class Storage final : public serve::ShardHost {
 public:
  // Enters itself in `hosts`, which outlives it.
  Storage(AppletContext& context, StorageOptions options, Sharded<serve::ShardHost>* hosts);
  ~Storage() override;
  Task<Result<>> start();
  Task<> stop();

  // For namespaces that come, change and go while the process runs. All on the core of the shard's node.
  Task<Result<>> add(ShardId shard, std::string name, NamespaceStatus space);
  void allow_followers(ShardId shard, bool allowed);
  Task<> retire(ShardId shard, std::uint32_t node);
  Task<Result<>> forget(ShardId shard, std::uint32_t node, Deadline deadline);

  replica::Shard* find(ShardId shard) override;
  static CoreId core_of(std::uint32_t node, std::size_t cores) { return CoreId(static_cast<std::uint32_t>(node % cores)); }

 private:
  Task<Result<>> open(std::uint32_t number);
  Task<Result<>> open_shards(NodeStorage& node);
  Task<Result<>> open_shard(NodeStorage& node, const std::string& name, const NamespaceStatus& space, ShardId id);
  NodeStorage& node_of(std::uint32_t number) const;
  void report(const replica::Shard& shard, const std::string& space) const;

  AppletContext& context_;
  std::size_t cores_;
  Logger log_;
  StorageOptions options_;
  disk::MachineDisk disk_;
  std::vector<std::unique_ptr<NodeStorage>> nodes_;
  std::map<ShardId, replica::Shard*> shards_;
};

}  // namespace skerry::node
