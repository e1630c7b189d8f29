// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>

#include "control/node_report.hpp"

namespace skerry::control {

// What nodes have said of themselves and their replicas, the last of each. A node that greets begins anew.
class NodeReports {
 public:
  struct Load {
    std::uint64_t bytes = 0;
    double operations = 0;   // per second
  };

  void greeted(NodeId node, Greeting greeting);
  void reported(NodeId node, const NodeReport& report, TimePoint now);
  void forget(NodeId node);
  void forget(ShardId shard) { replicas_.erase(shard); }

  const Greeting* greeting(NodeId node) const;
  const NodeUsage* usage(NodeId node) const;
  // It has told of all its replicas since it greeted: one that is not known is not held.
  bool is_complete(NodeId node) const;
  const ReplicaReport* find(ShardId shard, NodeId node) const;
  // The highest term that any replica of the shard has told of, or no_term; and who.
  std::pair<Term, NodeId> highest_term(ShardId shard) const;
  // As its fullest and busiest replica sees it; nothing: no replica has told of it.
  std::optional<Load> load(ShardId shard) const;

 private:
  struct Node {
    Greeting greeting;
    std::optional<NodeUsage> usage;
    bool complete = false;
  };
  struct Replica {
    ReplicaReport report;
    TimePoint counted_at;   // its operations, last
    std::uint64_t counted = 0;
    double rate = 0;
  };
  static void count(Replica& replica, TimePoint now);

  std::map<NodeId, Node> nodes_;
  std::map<ShardId, std::map<NodeId, Replica>> replicas_;
};

}   // namespace skerry::control
