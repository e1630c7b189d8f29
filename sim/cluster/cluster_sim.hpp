// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "replica/testing/shard_world.hpp"
#include "sim/cluster/history.hpp"
#include "sim/cluster/machines.hpp"
#include "sim/trace.hpp"

namespace skerry::sim {

// Mistakes made on purpose: a simulation that doesn't find them proves nothing.
enum class ClusterMistake : std::uint8_t {
  nothing,
  unsynced_writes,   // nodes acknowledge before their disks have synced
  stale_reads,       // clients read from replicas that do not serve
};

struct ClusterSimOptions {
  std::uint64_t seed = 1;
  std::size_t nodes = 3;   // servers that there are; the shard has three replicas, or one for each server when they are fewer
  Duration faults_for = 12s;
  ClusterMistake mistake = ClusterMistake::nothing;
  Trace::Print print = Trace::Print::no;
};

struct ClusterSimReport {
  std::string failure;   // empty: all is well
  std::uint64_t puts = 0, refused = 0, unknown = 0, gets = 0, faults = 0, terms = 0;
  std::int64_t members_version = 0;
  std::uint64_t trace_hash = 0;
};

// A whole cluster of the real code (nodes, their agents and links, a coordinator with its metadata, RPC) on a fake clock, fake disks and
// a fake network, under faults: crashes with and without the power, hangs, cut links, slow disks, a configuration that changes. Checked
// all along: never two that serve. Afterwards: progress soon after the last fault, equal replicas, and what clients were told is
// linearizable. One seed, one run.
class ClusterSim {
 public:
  explicit ClusterSim(ClusterSimOptions options);
  ~ClusterSim();
  ClusterSimReport run();

 private:
  struct Client;
  static constexpr ShardId shard_id{0};

  // --- the world goes on
  void pass(Duration time);
  bool wait(Duration patience, const std::function<bool()>& holds);
  void step();
  void check_servers();
  void fail(std::string why);
  void note(std::string_view what) { trace_.note(world_.clock.now(), what); }

  // --- clients
  void work(Client& client);
  void ask(Client& client);
  void put(Client& client, replica::Shard& shard);
  void get(Client& client, replica::Shard& shard);
  void hear(Client& client);
  void forget(const Machine& machine);   // what was asked of it is in doubt

  // --- faults
  void fault();
  void boot(Machine& machine);
  void lose(Machine& machine, bool power);
  void cut_some();
  void heal_all();
  void change_config();
  control::ClusterConfig config() const;
  NodeMachine& some_node() { return *nodes_[world_.random.below(nodes_.size())]; }

  // --- at the end
  NodeMachine* serving() const;
  bool is_level() const;
  std::string why_not() const;   // level, for people
  void check_states();
  void read_all();

  const ClusterSimOptions options_;
  World world_;
  Trace trace_;
  LogRegistry log_;
  net::testing::MemoryFabric fabric_;
  std::vector<std::unique_ptr<NodeMachine>> nodes_;
  std::unique_ptr<CoordinatorMachine> coordinator_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::set<std::pair<std::string, std::string>> cuts_;
  std::set<std::string> configured_;   // hosts
  std::uint32_t replicas_;
  History history_;
  ClusterSimReport report_;
};

}   // namespace skerry::sim
