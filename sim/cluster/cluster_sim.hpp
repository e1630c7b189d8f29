// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/cluster/direct_clients.hpp"
#include "sim/cluster/history.hpp"
#include "sim/cluster/library_client.hpp"
#include "sim/cluster/machines.hpp"
#include "sim/trace.hpp"

namespace skerry::sim {

// Mistakes made on purpose: a simulation that doesn't find them proves nothing.
enum class ClusterMistake : std::uint8_t {
  nothing,
  unsynced_writes,   // nodes acknowledge before their disks have synced
  stale_reads,       // clients read from replicas that do not serve
  untold_changes,    // a few changes do not reach who follows
  untold_sessions,   // nor do the ends of sessions reach who has them
  forgotten_damage,  // a node that lost all takes part as the one that it was
};

struct ClusterSimOptions {
  std::uint64_t seed = 1;
  std::size_t nodes = 3;   // servers that there are; shards have three replicas, or one for each server when they are fewer
  Duration faults_for = 12s;
  ClusterMistake mistake = ClusterMistake::nothing;
  Trace::Print print = Trace::Print::no;
};

struct ClusterSimReport {
  std::string failure;   // empty: all is well
  std::uint64_t puts = 0, refused = 0, unknown = 0, gets = 0, faults = 0, terms = 0;
  std::uint64_t reshapes = 0;   // that were wished or began by themselves
  std::uint64_t shards = 0;     // that served
  std::uint64_t damages = 0, repairs = 0;   // of disks; by the cluster itself
  std::uint64_t ephemerals = 0, sessions_lost = 0, changes = 0, gaps = 0;
  std::uint64_t trace_hash = 0;
};

// A whole cluster of the real code (nodes, their agents and links, a coordinator with its metadata, RPC, a client library) on a
// fake clock, fake disks and a fake network, under faults: crashes with and without the power, hangs, cut links, slow disks, a
// disk that rots, a configuration that changes; and its shards are split, merged and moved. Checked all along: never two that
// serve the same hashes. Afterwards: progress soon after the last fault, equal replicas, nothing left of shards that are no more;
// what clients were told is linearizable, who followed heard of every change, and ephemeral records lasted as long as their
// sessions. One seed, one run.
class ClusterSim {
 public:
  explicit ClusterSim(ClusterSimOptions options);
  ~ClusterSim();
  ClusterSimReport run();

 private:
  using Shards = std::vector<std::pair<ShardId, control::HashRange>>;

  // --- the world goes on
  void pass(Duration time);
  bool wait(Duration patience, const std::function<bool()>& holds);
  void step();
  void check(NodeMachine& node);   // that has just run
  void check_apart(NodeMachine& node, ShardId shard);
  void learn_hashes();
  void fail(std::string why);
  void note(std::string_view what) { trace_.note(world_.clock.now(), what); }

  // --- faults
  void fault();
  void strike(NodeMachine& node, std::uint64_t kind);
  void boot(Machine& machine);
  void lose(Machine& machine, bool power);
  void cut_some();
  void heal();
  void heal_all();
  void damage(NodeMachine& node);
  void clean_up();
  std::vector<std::string> files_that_rot(const NodeMachine& node, std::string_view ending) const;
  std::string rot_file(NodeMachine& node, std::string_view ending);
  std::string lose_file(NodeMachine& node, std::string_view ending);
  void forget_all(NodeMachine& node);
  void change_config();
  void wish();   // a split, a merge, another leader or place
  void split(control::CoordinatorCore& office);
  void merge(control::CoordinatorCore& office);
  void move(control::CoordinatorCore& office);
  control::ClusterConfig config() const;
  NodeMachine& some_node() { return *nodes_[world_.random.below(nodes_.size())]; }

  // --- at the end
  control::CoordinatorCore* office() const;   // null: nobody is
  Shards shards() const;   // that the coordinator knows, in the order of their hashes
  NodeMachine* serving(ShardId shard) const;
  std::uint64_t puts() const { return direct_.figures().puts + program_->figures().puts; }
  std::string why_not_level() const;   // empty: all shards have the replicas that are wanted
  std::string left_over() const;   // replicas of shards that are no more
  std::string open_sessions() const;
  void judge();
  void check_changes();
  void check_states(ShardId shard);
  std::uint32_t checksum(NodeMachine& node, ShardId shard);
  std::string places(ShardId shard) const;
  void read_all();
  void fill_report();

  const ClusterSimOptions options_;
  World world_;
  Trace trace_;
  LogRegistry log_;
  net::testing::MemoryFabric fabric_;
  History history_;
  std::vector<std::unique_ptr<NodeMachine>> nodes_;
  std::unique_ptr<CoordinatorMachine> coordinator_;
  std::unique_ptr<LibraryClient> program_;
  DirectClients direct_;
  std::set<std::pair<std::string, std::string>> cuts_;
  std::set<std::string> configured_;   // hosts
  NodeMachine* damaged_ = nullptr;   // until it has been filled anew
  std::uint32_t replicas_;
  bool splits_itself_;   // as autoSplit has it
  std::map<ShardId, control::HashRange> hashes_;   // of all shards that there ever were
  std::pair<std::int64_t, ShardId> hashes_known_;   // in that term of office, below that
  std::map<const NodeMachine*, std::vector<ShardId>> serving_;   // when it last ran
  std::set<ShardId> served_;
  ClusterSimReport report_;
};

}   // namespace skerry::sim
