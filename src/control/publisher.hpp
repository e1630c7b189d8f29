// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <vector>

#include "control/desk.hpp"

namespace skerry::control {

// Tells the nodes whose calls stand what they should know of the cluster: all of it when they greet, then what changes. What
// exists and where is told when it is stored; who leads at once, as that binds nobody.
class Publisher {
 public:
  Publisher(Desk& desk, std::int64_t epoch) : desk_(desk), revision_{epoch, 0} {}

  void greeted(NodeId node) { told_[node] = {.to = node, .nodes = {}, .holdings = {}, .assignments = {}}; }
  void left(NodeId node) { told_.erase(node); }
  void publish();

 private:
  using Replicas = std::map<NodeId, std::vector<Holdings::Replica>>;

  Revision next_revision();
  void gather_addresses();
  void gather_holdings();
  void gather_assignments();
  void tell(NodeId node, Publication& told);

  Desk& desk_;
  Revision revision_;
  std::map<NodeId, Publication> told_;   // to those that listen, last
  CommitNumber structure_{-1};   // that has been told
  std::shared_ptr<const NodeAddresses> addresses_;
  std::shared_ptr<const Assignments> assignments_;
  std::map<NodeId, std::shared_ptr<const Holdings>> holdings_;
  std::map<ShardId, NodeId> last_leaders_;
};

}   // namespace skerry::control
