// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "control/cluster_status.hpp"
#include "store/key_order.hpp"

namespace skerry::node {

struct ShardStatus {
  Term term{0};              // of the last start; the next one takes a higher one
  std::uint32_t node = 0;    // K of the folder node-K that holds the replica
  control::HashRange hashes;
};

struct NamespaceStatus {
  bool notifications = true;
  store::KeyOrder order = store::KeyOrder::hierarchical;
  std::map<ShardId, ShardStatus> shards;
};

// What exists in a data folder: namespaces, their shards, where each lives and its term. Kept as cluster-status.yaml in the shape
// of Oxia's status document (servers are named node-K), with what that document lacks in fields of our own.
struct ClusterStatus {
  std::string instance_id;   // of this cluster; random, made once
  std::uint32_t nodes = 0;   // folders node-0 … node-(nodes-1)
  ShardId next_shard{0};
  std::map<std::string, NamespaceStatus> namespaces;
  std::map<ShardId, std::uint32_t>
      deleting;   // shards of deleted namespaces whose records are still being deleted, and their nodes

  // Adds a namespace of shards with these hashes, spread over the nodes in turn. Requires: it does not exist.
  void add_namespace(const std::string& name, const std::vector<control::HashRange>& shards, store::KeyOrder order,
                     bool notifications);

  // Its shards are to be deleted. Requires: it exists.
  void remove_namespace(const std::string& name);

  std::string to_yaml() const;
  // Fails with corrupt; the text says what is wrong and in which line.
  static Result<ClusterStatus> from_yaml(const std::string& text);
};

}   // namespace skerry::node
