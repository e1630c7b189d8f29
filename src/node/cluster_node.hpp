// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "control/damaged_node.hpp"
#include "control/node_agent.hpp"
#include "disk/machine_disk.hpp"
#include "net/tcp.hpp"
#include "net/tls_network.hpp"
#include "node/node_folders.hpp"
#include "node/node_storage.hpp"
#include "node/security.hpp"
#include "node/server_folder.hpp"
#include "rpc/health.hpp"
#include "rpc/server.hpp"
#include "runtime/app.hpp"
#include "serve/shard_directory.hpp"

namespace skerry::node {

// Ports of node K of a nodepool: the configured ones + this much · K.
constexpr std::uint16_t node_port_step = 10;
// The address of the node of that core.
net::Address node_address(net::Address configured, CoreId core);

struct ClusterNodeOptions {
  const ServerFolder* folder = nullptr;   // outlives the applet
  net::Address internal_address;          // of node 0
  NodeStorageOptions storage;             // the engine's budget is the process's, shared evenly by the nodes
};

// Node K of a cluster, on core K: its storage, its internal port, where the coordinator and the other nodes call, and what it has
// to do for them. Starts before the public server, which finds its shards through it, and stops after that. Until a coordinator
// calls it waits. When its disk has damaged what it keeps, and its coordinator can do without that, it puts its folder aside and
// begins anew as an empty node.
class ClusterNode final : public serve::ShardHost, private control::NodeListener {
 public:
  // Enters itself in `hosts`, which outlives it.
  ClusterNode(AppletContext& context, ClusterNodeOptions options, Sharded<serve::ShardHost>* hosts, App* app);
  ~ClusterNode() override;
  Task<Result<>> start();
  Task<> stop();

  replica::Shard* find(ShardId shard) override;

 private:
  void on_assignments(const control::v1::Assignments& assignments) override;
  void on_opened(const std::string& name_space, replica::Shard& shard) override;
  void on_closing(ShardId shard) override;
  control::v1::Usage usage() override;
  void on_given_up() override;
  Task<Result<>> open();
  Task<Result<>> open_damaged(const Error& damage);
  Result<> serve();
  Task<> close();
  Task<> renew();
  NodeFolders folders() const;
  std::uint32_t number() const { return context_.core.id().value(); }
  std::uint64_t folder_bytes() const;

  AppletContext& context_;
  Logger log_;
  ClusterNodeOptions options_;
  disk::MachineDisk disk_;
  Security& security_;
  net::TcpNetwork plain_network_;
  net::TlsNetwork internal_network_, peer_network_;   // used where their TLS is on
  rpc::Health health_;
  // Of one life of the node: until it is given up.
  std::unique_ptr<rpc::Methods> methods_;
  std::unique_ptr<control::NodeRecord> record_;
  std::unique_ptr<NodeStorage> storage_;
  std::optional<replica::NodeLeases> leases_;
  std::unique_ptr<replica::NodeLinks> links_;
  std::unique_ptr<control::NodeAgent> agent_;
  std::unique_ptr<control::DamagedNode> damaged_;   // in place of all that needs storage
  std::unique_ptr<rpc::Server> server_;
  struct Measured {
    TimePoint at;
    double processor_seconds = 0;
    std::uint64_t reads = 0, writes = 0;   // of the shards that were open
  };
  std::optional<Measured> measured_;
  bool renewing_ = false, stopping_ = false;
  App* const app_;   // ended when the node can't go on
  TaskScope tasks_;
};

}   // namespace skerry::node
