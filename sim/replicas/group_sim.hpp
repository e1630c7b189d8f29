// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "sim/message_sim.hpp"
#include "sim/replicas/coordinator.hpp"
#include "sim/replicas/real_coordinator.hpp"

namespace skerry::sim {

struct GroupSimReport {
  std::string failure;   // empty: all was as it must be
  std::uint64_t trace_hash = 0;
  std::uint64_t events = 0, writes = 0, reads = 0, elections = 0, crashes = 0;
  std::uint64_t reshaped = 0;   // shards that were made of others
  std::int64_t entries = 0, steps = 0;   // committed; of membership
};

// Replicas of a few shards on three to seven nodes, moved by coordinators that follow the rules and are otherwise mad, while
// messages, disks, clocks and processes fail; then everything heals, and within a bound the shards must serve and all their
// replicas be equal.
class GroupSim final : private MessageSim {
 public:
  explicit GroupSim(GroupSimOptions options);
  ~GroupSim();
  GroupSimReport run();

 private:
  void found();
  void chaos();
  void crash_one();
  void may_crash(NodeId node, Duration within);
  void may_fall_silent(NodeId node);
  void cut_some();
  void heal();
  bool all_is_well();
  bool is_well(ShardId shard);
  bool is_settled(ShardId shard);
  bool is_equal(ShardId shard);
  void write();
  void read();
  void check_exclusive(ShardId shard);
  SimNode& any_node() { return *nodes_[random_.below(nodes_.size())]; }
  ShardId any_shard() {
    const std::vector<ShardId> all = shards();
    return all[random_.below(all.size())];
  }
  std::vector<ShardId> shards() const;   // that there are
  std::vector<ShardId> all_shards() const;   // that there have been, or may be

  const GroupSimOptions options_;
  const Plan plan_;
  Network network_;
  Oracle oracle_;
  Surroundings around_;
  StatusStore statuses_;
  std::vector<std::unique_ptr<SimNode>> nodes_;
  SimMetadata metadata_;   // of real coordinators
  std::vector<std::unique_ptr<GroupCoordinator>> coordinators_;
  std::map<ShardId, Offset> written_;   // since faults stopped, by shard: must be exceeded
  std::uint64_t values_ = 0;
  GroupSimReport report_;
};

}   // namespace skerry::sim
