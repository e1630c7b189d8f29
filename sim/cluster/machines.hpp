// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "control/coordinator.hpp"
#include "control/damaged_node.hpp"
#include "control/metadata_file.hpp"
#include "control/node_agent.hpp"
#include "disk/testing/simulated_disk.hpp"
#include "net/testing/memory_network.hpp"
#include "rpc/server.hpp"
#include "serve/oxia_service.hpp"
#include "serve/store_v1_service.hpp"
#include "sim/world.hpp"
#include "store/memory_engine.hpp"

namespace skerry::sim {

// A machine of a simulated cluster: a disk that outlives its processes, and at most one process at a time. Subclasses put the
// real code of a role on it.
class Machine {
 public:
  Machine(World& world, net::testing::MemoryFabric& fabric, LogRegistry& log, std::string host)
      : world_(world), fabric_(fabric), log_(log), host_(std::move(host)) {}
  virtual ~Machine() = default;

  void boot();   // a process; it opens by itself
  void crash();   // with the power
  void kill();   // the process only
  void pause(TimePoint until) { world_.pause_core(*core_, until); }

  const std::string& host() const { return host_; }
  bool running() const { return core_ != nullptr; }
  std::uint64_t life() const { return life_; }
  const std::optional<Error>& failure() const {
    return failure_;
  }   // it could not start, which a simulated disk's faults never explain
  bool is(const Core* core) const { return core_ == core; }
  Core& core() { return *core_; }
  TaskScope& tasks() { return *tasks_; }
  disk::SimulatedDiskState platters;

 protected:
  virtual Task<Result<>> open() = 0;
  virtual void drop() = 0;   // what the process has made, from the top down
  World& world() { return world_; }
  Cores& cores() { return *cores_; }   // one
  net::Network& network() { return *network_; }
  disk::Disk& disk() { return *disk_; }
  Logger logger() { return log_.logger(host_); }
  void give_up(Error why) { failure_ = std::move(why); }
  void end();

 private:
  static Task<> start(Machine& machine);

  World& world_;
  net::testing::MemoryFabric& fabric_;
  LogRegistry& log_;
  const std::string host_;
  std::uint64_t life_ = 0;
  std::optional<Error> failure_;
  Cores* cores_ = nullptr;
  Core* core_ = nullptr;
  std::unique_ptr<disk::SimulatedDisk> disk_;
  std::unique_ptr<net::testing::MemoryNetwork> network_;
  std::unique_ptr<TaskScope> tasks_;
};

// A storage node as node/cluster_node.hpp and node/public_server.hpp put it together.
class NodeMachine final : public Machine, private control::NodeListener, private serve::ShardHost {
 public:
  using Machine::Machine;
  ~NodeMachine() override { end(); }
  std::string public_address() const { return host() + ":6648"; }
  std::string internal_address() const { return host() + ":6649"; }
  replica::Shard* shard(ShardId id) const { return group_ ? group_->find(id) : nullptr; }
  std::vector<ShardId> shards() const;   // that are open
  std::vector<ShardId> serving() const;
  bool serves(const std::vector<ShardId>& just_these) const;
  // What it tells clients; null: nothing yet.
  std::shared_ptr<const serve::Assignments> assignments() const { return public_ ? public_->directory.assignments() : nullptr; }
  store::Engine& engine() { return *engine_; }
  disk::Durable durable = disk::Durable::yes;   // of its log; no: a mistake made on purpose
  std::function<void()> on_vacating = [] {};   // nobody may hold a request to its shards any longer
  bool is_damaged() const { return damaged_ != nullptr; }   // and waits to be given up
  bool keeps_damage() const;   // it was given up, and what was damaged is put aside
  void forget_damage();   // as its operator would

 private:
  Task<Result<>> open() override;
  Task<Result<>> open_node();
  Task<Result<>> open_damaged(const Error& damage);
  Result<> serve();
  Task<> renew();
  Task<> close();
  void drop() override;
  void drop_node();
  void on_assignments(const control::v1::Assignments& told) override;
  void on_opened(const std::string&, replica::Shard&) override {}
  void on_closing(ShardId) override {}
  control::v1::Usage usage() override { return {}; }
  void on_given_up() override;
  replica::Shard* find(ShardId id) override { return shard(id); }

  // What answers clients.
  struct Public {
    Public(Cores& cores, serve::ShardHost& host);
    Sharded<serve::ShardHost> hosts;
    serve::ShardDirectory directory;
    serve::OxiaService oxia;
    serve::StoreV1Service store_v1;
    rpc::Methods methods;
    std::unique_ptr<rpc::Server> server;
  };

  std::unique_ptr<control::NodeRecord> record_;
  std::unique_ptr<disk::Log> node_log_;
  std::unique_ptr<store::MemoryEngine> engine_;
  std::unique_ptr<replica::ShardGroup> group_;
  std::optional<replica::NodeLeases> leases_;
  std::unique_ptr<replica::NodeLinks> links_;
  std::unique_ptr<control::NodeAgent> agent_;
  std::unique_ptr<control::DamagedNode> damaged_;   // in place of all that needs what is damaged
  bool renewing_ = false;
  std::unique_ptr<rpc::Methods> methods_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<Public> public_;
};

// A coordinator with the file provider.
class CoordinatorMachine final : public Machine {
 public:
  using Machine::Machine;
  ~CoordinatorMachine() override { end(); }
  // Also of later processes.
  void configure(control::ClusterConfig config);
  control::Coordinator* coordinator() const { return coordinator_.get(); }

 private:
  Task<Result<>> open() override;
  void drop() override;
  void wish_config();
  Task<> keep_wishing();   // as somebody who looks at the configuration in each term of office

  std::optional<control::ClusterConfig> config_;
  std::unique_ptr<control::MetadataFile> metadata_;
  std::unique_ptr<control::Coordinator> coordinator_;
};

}   // namespace skerry::sim
