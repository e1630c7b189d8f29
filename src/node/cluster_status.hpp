// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "store/key_order.hpp"

namespace skerry::node {

constexpr std::uint32_t shards_max = 4096;   // of one namespace; each costs memory and a place in every checkpoint
constexpr std::size_t namespaces_max = 1000;

// Hashes of keys, both ends inclusive.
struct HashRange {
  std::uint32_t min = 0;
  std::uint32_t max = 0;
  friend bool operator==(const HashRange&, const HashRange&) = default;
};

// The ranges of a namespace of `shards` shards: buckets of (2^32 - 1) / shards + 1 hashes, the last one takes the rest.
std::vector<HashRange> split_hashes(std::uint32_t shards);

struct ShardStatus {
  Term term{0};              // of the last start; the next one takes a higher one
  std::uint32_t node = 0;    // K of the folder node-K that holds the replica
  HashRange hashes;
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

  // Adds a namespace whose shards are spread over the nodes in turn. Requires: it does not exist.
  void add_namespace(const std::string& name, std::uint32_t shards, store::KeyOrder order, bool notifications);

  // Its shards are to be deleted. Requires: it exists.
  void remove_namespace(const std::string& name);

  std::string to_yaml() const;
  // Fails with corrupt; the text says what is wrong and in which line.
  static Result<ClusterStatus> from_yaml(const std::string& text);
};

// Letters, digits, '_', '.', '-', first a letter or digit, no "..". Fails with invalid_argument and the rule.
Result<> check_namespace_name(const std::string& name);

}   // namespace skerry::node
