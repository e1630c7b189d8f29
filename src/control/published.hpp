// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "control/cluster_status.hpp"

// What a coordinator tells nodes of the cluster's state. Each kind is told whole; the later revision counts.
namespace skerry::control {

struct Revision {
  std::int64_t epoch = 0;    // of the coordinator
  std::int64_t number = 0;   // rises within it
  friend auto operator<=>(const Revision&, const Revision&) = default;
};

struct NodeAddresses {
  struct Node {
    NodeId node;
    std::string internal_address;
    friend bool operator==(const Node&, const Node&) = default;
  };
  Revision revision;
  std::vector<Node> nodes;   // in order
};

// The replicas that one node should have open. Others are kept until they are deleted by name.
struct Holdings {
  struct Replica {
    ShardId shard;
    std::string name_space;
    store::KeyOrder order = store::KeyOrder::hierarchical;
    bool notifications = true;
    friend bool operator==(const Replica&, const Replica&) = default;
  };
  Revision revision;
  std::vector<Replica> replicas;   // in order
};

// What clients are told.
struct Assignments {
  struct Shard {
    ShardId shard;
    HashRange hashes;
    std::optional<NodeId> leader;   // none: an election is under way
    std::string leader_public_address;
    friend bool operator==(const Shard&, const Shard&) = default;
  };
  Revision revision;
  std::map<std::string, std::vector<Shard>> namespaces;
  std::vector<std::string> authorities;   // addresses at which nodes may be called
};

// For one node's next order. What is not given has not changed.
struct Publication {
  NodeId to;
  std::shared_ptr<const NodeAddresses> nodes;
  std::shared_ptr<const Holdings> holdings;
  std::shared_ptr<const Assignments> assignments;
};

}   // namespace skerry::control
