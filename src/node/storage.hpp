// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "disk/machine_disk.hpp"
#include "node/data_folder.hpp"
#include "node/node_storage.hpp"
#include "replica/state_restorer.hpp"
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

  // For a shard that will be opened with a state from elsewhere: takes the blocks of its snapshot, one after the other, waiting
  // for room. With the last one: how many records it had; then the state is there for good, also after a crash.
  Task<Result<std::optional<std::uint64_t>>> restore(ShardId shard, std::uint32_t node, store::KeyOrder order, Bytes block);
  Task<> end_restore(ShardId shard);   // whether it was whole or not

  replica::Shard* find(ShardId shard) override;
  static CoreId core_of(std::uint32_t node, std::size_t cores) { return CoreId(static_cast<std::uint32_t>(node % cores)); }

 private:
  struct Restoring;
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
  std::map<ShardId, std::shared_ptr<Restoring>> restoring_;
};

}   // namespace skerry::node
