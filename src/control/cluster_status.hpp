// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "control/metadata_change.hpp"
#include "replica/membership.hpp"
#include "store/key_order.hpp"

namespace skerry::control {

// Hashes of keys, both ends inclusive.
struct HashRange {
  std::uint32_t min = 0;
  std::uint32_t max = UINT32_MAX;
  friend bool operator==(const HashRange&, const HashRange&) = default;
};

// The ranges of a namespace of `shards` shards: buckets of (2^32 - 1) / shards + 1 hashes, the last one takes the rest.
std::vector<HashRange> split_hashes(std::uint32_t shards);

struct NodeStatus {
  std::string name;   // the identity of the server in the configuration
  std::string public_address, internal_address;
  std::string pool;        // as it said when it was last heard; empty: never
  bool bound = false;      // its folder is, or is about to be, this node's
  bool lost = false;       // its folder is gone: the server of its name is another node now
  bool draining = false;   // somebody wished it
  bool removed = false;    // the configuration no longer has it: leaves when it holds nothing
  std::string damage{};    // for which it was given up as lost; empty: its folder was gone
  friend bool operator==(const NodeStatus&, const NodeStatus&) = default;
};

struct NamespaceStatus {
  std::uint32_t replicas = 1;   // of each shard, as wanted
  bool notifications = true;
  store::KeyOrder order = store::KeyOrder::hierarchical;
  bool deleting = false;   // gone for clients; leaves with its last shard
  friend bool operator==(const NamespaceStatus&, const NamespaceStatus&) = default;
};

enum class ShardState : std::uint8_t {
  steady,     // has a leader
  election,   // of its term; nobody leads
  deleting,   // its replicas are being deleted
  fenced,     // in a reshape: nobody leads, and nobody is to
};

// The way of one shard to two, or of two neighbours to one: docs/adr/0017. The first parent has it.
struct ReshapeStatus {
  enum class Phase : std::uint8_t {
    preparing,   // copies are made beforehand, and members brought together; the parents serve
    sealing,     // their leaders are to take nothing more
    reshaping,   // they are fenced; the copies are finished
    electing,    // the copies stand, the children get leaders: there is no way back
  };
  Phase phase = Phase::preparing;
  std::vector<ShardId> parents{};    // in the order of their hashes, and so are the children
  std::vector<ShardId> children{};
  std::vector<replica::EntryId> heads{};   // of the parents, from reshaping on: all that is committed
  bool is_split() const { return parents.size() == 1; }
  friend bool operator==(const ReshapeStatus&, const ReshapeStatus&) = default;
};

struct ShardStatus {
  std::string name_space;
  HashRange hashes{};
  Term term{-1};   // the highest that anybody may have been told
  ShardState state = ShardState::election;
  std::optional<NodeId> leader{};   // while steady
  replica::Membership members{};
  std::vector<NodeId> wanted{};    // the voters that its members are on the way to, in order; empty: as they are
  std::vector<NodeId> removed{};   // members no more; their replicas are to be deleted
  // Their replicas were deleted in this term. What the former replica acknowledged may still be on its way to the leader, which
  // would count it for the next one: not members again before a higher term.
  std::vector<NodeId> erased{};
  std::optional<ReshapeStatus> reshape{};   // of the first parent
  std::optional<ShardId> reshaped_with{};   // the first parent of the reshape that this is part of, as a parent or a child
  friend bool operator==(const ShardStatus&, const ShardStatus&) = default;
};

// A namespace that is being made from a backup. Its shards have numbers and places, and nobody sees them before all is there.
struct RestoreStatus {
  struct Part {
    ShardId shard;
    HashRange hashes;
    NodeId node;   // where its state is brought
    friend bool operator==(const Part&, const Part&) = default;
  };
  store::KeyOrder order = store::KeyOrder::hierarchical;
  std::vector<Part> parts{};   // in the order of their hashes
  friend bool operator==(const RestoreStatus&, const RestoreStatus&) = default;
};

// All that a coordinator must not forget, as one value. Kept as items ("cluster", "configuration", "former-configurations",
// "node/ID", "namespace/NAME", "shard/ID", "restore/NAME") that change one by one.
struct ClusterStatus {
  std::string instance;   // of this cluster; random, made once. Empty: there is nothing yet
  NodeId next_node{1};
  ShardId next_shard{0};
  std::map<NodeId, NodeStatus> nodes{};
  std::map<std::string, NamespaceStatus> namespaces{};
  std::map<ShardId, ShardStatus> shards{};
  std::map<std::string, RestoreStatus> restores{};   // by the name that the namespace will have
  std::string configuration{};   // what people want, as ClusterConfig's YAML; empty: none was given yet
  std::vector<std::uint64_t> former_configurations{};   // fingerprints of the YAML of those before, the latest last

  // Fails with corrupt when an item can't be read or contradicts another; the text names it.
  static Result<ClusterStatus> from_items(const MetadataItems& items);
  MetadataItems to_items() const;

  // Oxia's status document, with what that lacks in fields of our own; a rendering for people and tools, nobody reads it back.
  std::string to_yaml() const;

  friend bool operator==(const ClusterStatus&, const ClusterStatus&) = default;
};

// Keys and values of the items. The change of a thing that is gone deletes its item.
inline constexpr std::string_view configuration_key = "configuration";
inline constexpr std::string_view former_configurations_key = "former-configurations";
MetadataChange cluster_item(const ClusterStatus& status);
MetadataChange configuration_item(const ClusterStatus& status);
MetadataChange former_configurations_item(const ClusterStatus& status);
// Of the item's value; none when it can't be read.
std::vector<std::uint64_t> former_configurations(const std::string& item);
MetadataChange node_item(const ClusterStatus& status, NodeId node);
MetadataChange namespace_item(const ClusterStatus& status, const std::string& name);
MetadataChange shard_item(const ClusterStatus& status, ShardId shard);
MetadataChange restore_item(const ClusterStatus& status, const std::string& name);

}   // namespace skerry::control
