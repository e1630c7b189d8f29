// SPDX-License-Identifier: Apache-2.0
// The status as items that are kept.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "control/cluster_status.hpp"
#include "skerry/control/v1/status.pb.h"

namespace skerry::control {
namespace {

constexpr std::string_view cluster_key = "cluster", node_prefix = "node/", namespace_prefix = "namespace/",
                           shard_prefix = "shard/";

std::string node_key(NodeId node) { return fmt::format("{}{}", node_prefix, node.value()); }
std::string namespace_key(const std::string& name) { return std::string(namespace_prefix) + name; }
std::string shard_key(ShardId shard) { return fmt::format("{}{}", shard_prefix, shard.value()); }

template <class Map, class Key>
const typename Map::mapped_type* find(const Map& map, const Key& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

void put_nodes(const std::vector<NodeId>& nodes, google::protobuf::RepeatedField<std::uint32_t>& out) {
  for (const NodeId node : nodes) out.Add(node.value());
}

std::vector<NodeId> take_nodes(const google::protobuf::RepeatedField<std::uint32_t>& in) {
  std::vector<NodeId> nodes;
  for (const std::uint32_t node : in) nodes.emplace_back(node);
  return nodes;
}

std::string encode(const NodeStatus& node) {
  v1::NodeItem item;
  item.set_name(node.name);
  item.set_public_address(node.public_address);
  item.set_internal_address(node.internal_address);
  item.set_pool(node.pool);
  item.set_draining(node.draining);
  item.set_removed(node.removed);
  item.set_bound(node.bound);
  item.set_lost(node.lost);
  return item.SerializeAsString();
}

std::string encode(const NamespaceStatus& space) {
  v1::NamespaceItem item;
  item.set_replicas(space.replicas);
  item.set_notifications(space.notifications);
  item.set_key_order(space.order == store::KeyOrder::natural ? v1::NATURAL : v1::HIERARCHICAL);
  item.set_deleting(space.deleting);
  return item.SerializeAsString();
}

v1::ShardItem::State encode(ShardState state) {
  switch (state) {
    case ShardState::steady: return v1::ShardItem::STEADY;
    case ShardState::election: return v1::ShardItem::ELECTION;
    case ShardState::deleting: break;
  }
  return v1::ShardItem::DELETING;
}

std::string encode(const ShardStatus& shard) {
  v1::ShardItem item;
  item.set_namespace_(shard.name_space);
  item.set_hash_min(shard.hashes.min);
  item.set_hash_max(shard.hashes.max);
  item.set_term(shard.term.value());
  item.set_state(encode(shard.state));
  if (shard.leader) item.set_leader(shard.leader->value());
  v1::Membership& members = *item.mutable_members();
  members.set_version(shard.members.version.value());
  put_nodes(shard.members.old_voters, *members.mutable_old_voters());
  put_nodes(shard.members.voters, *members.mutable_voters());
  put_nodes(shard.members.learners, *members.mutable_learners());
  put_nodes(shard.wanted, *item.mutable_wanted());
  put_nodes(shard.removed, *item.mutable_removed());
  put_nodes(shard.erased, *item.mutable_erased());
  return item.SerializeAsString();
}

NodeStatus decode(const v1::NodeItem& item) {
  return {.name = item.name(),
          .public_address = item.public_address(),
          .internal_address = item.internal_address(),
          .pool = item.pool(),
          .bound = item.bound(),
          .lost = item.lost(),
          .draining = item.draining(),
          .removed = item.removed()};
}

NamespaceStatus decode(const v1::NamespaceItem& item) {
  return {.replicas = item.replicas(),
          .notifications = item.notifications(),
          .order = item.key_order() == v1::NATURAL ? store::KeyOrder::natural : store::KeyOrder::hierarchical,
          .deleting = item.deleting()};
}

ShardState decode(v1::ShardItem::State state) {
  switch (state) {
    case v1::ShardItem::STEADY: return ShardState::steady;
    case v1::ShardItem::DELETING: return ShardState::deleting;
    default: return ShardState::election;
  }
}

ShardStatus decode(const v1::ShardItem& item) {
  ShardStatus shard{.name_space = item.namespace_(),
                    .hashes = {item.hash_min(), item.hash_max()},
                    .term = Term(item.term()),
                    .state = decode(item.state()),
                    .leader = std::nullopt,
                    .members = {},
                    .wanted = take_nodes(item.wanted()),
                    .removed = take_nodes(item.removed()),
                    .erased = take_nodes(item.erased())};
  if (item.has_leader()) shard.leader = NodeId(item.leader());
  shard.members.version = MembershipVersion(item.members().version());
  shard.members.old_voters = take_nodes(item.members().old_voters());
  shard.members.voters = take_nodes(item.members().voters());
  shard.members.learners = take_nodes(item.members().learners());
  return shard;
}

// Takes items one by one; the first that is wrong ends it.
class Decoder {
 public:
  explicit Decoder(const MetadataItems& items) : items_(items) {}

  Result<ClusterStatus> decode_all() {
    for (const auto& [key, value] : items_) TRYV(take(key, value));
    if (!items_.empty() && status_.instance.empty()) return wrong(cluster_key, "is missing");
    for (const auto& [id, shard] : status_.shards) TRYV(check(id, shard));
    for (const auto& [id, node] : status_.nodes) {
      if (id >= status_.next_node) return wrong(node_key(id), "has a number that the cluster has not given out yet");
    }
    return std::move(status_);
  }

 private:
  static std::unexpected<Error> wrong(std::string_view key, std::string_view why) {
    return skerry::fail(Errc::corrupt,
                        fmt::format("the cluster's status: item \"{}\" {}: restore the status from a copy", key, why));
  }

  template <class Item>
  static Result<Item> parse(const std::string& key, const std::string& value) {
    Item item;
    if (!item.ParseFromString(value)) return wrong(key, "can't be decoded");
    return item;
  }

  template <class Id>
  static Result<Id> id_of(const std::string& key, std::string_view prefix) {
    auto number = Id().value();
    const char* end = key.data() + key.size();
    const auto [stop, error] = std::from_chars(key.data() + prefix.size(), end, number);
    if (error != std::errc() || stop != end || number < 0) return wrong(key, "has no number in its name");
    return Id(number);
  }

  Result<> take(const std::string& key, const std::string& value) {
    if (key == cluster_key) return take_cluster(key, value);
    if (key == configuration_key) {
      status_.configuration = value;
      return {};
    }
    if (key.starts_with(node_prefix)) {
      TRY(const NodeId id, id_of<NodeId>(key, node_prefix));
      TRY(const auto item, parse<v1::NodeItem>(key, value));
      status_.nodes[id] = decode(item);
    } else if (key.starts_with(namespace_prefix)) {
      TRY(const auto item, parse<v1::NamespaceItem>(key, value));
      if (item.replicas() == 0 || item.replicas() > limits::replicas_max) return wrong(key, "has no possible number of replicas");
      status_.namespaces[key.substr(namespace_prefix.size())] = decode(item);
    } else if (key.starts_with(shard_prefix)) {
      TRY(const ShardId id, id_of<ShardId>(key, shard_prefix));
      TRY(const auto item, parse<v1::ShardItem>(key, value));
      status_.shards[id] = decode(item);
    } else {
      return wrong(key, "is not known to this version");
    }
    return {};
  }

  Result<> take_cluster(const std::string& key, const std::string& value) {
    TRY(const auto item, parse<v1::ClusterItem>(key, value));
    if (item.instance().empty()) return wrong(key, "has no instance");
    status_.instance = item.instance();
    status_.next_node = NodeId(item.next_node());
    status_.next_shard = ShardId(item.next_shard());
    return {};
  }

  Result<> check(ShardId id, const ShardStatus& shard) const {
    const std::string key = shard_key(id);
    if (id >= status_.next_shard) return wrong(key, "has a number that the cluster has not given out yet");
    if (!status_.namespaces.contains(shard.name_space)) {
      return wrong(key, fmt::format("belongs to the namespace \"{}\", which is missing", shard.name_space));
    }
    if (shard.hashes.min > shard.hashes.max) return wrong(key, "has a range of hashes that ends before it begins");
    if (const auto checked = shard.members.check(); !checked) return wrong(key, checked.error().text);
    if ((shard.state == ShardState::steady) != shard.leader.has_value()) return wrong(key, "has a leader and none");
    if (!shard.wanted.empty()) {
      replica::Membership wanted;
      wanted.voters = shard.wanted;
      if (const auto checked = wanted.check(); !checked) return wrong(key, "wants impossible members");
    }
    std::vector<NodeId> named = shard.members.members();
    for (const auto* more : {&shard.wanted, &shard.removed}) named.insert(named.end(), more->begin(), more->end());
    if (shard.leader) named.push_back(*shard.leader);
    for (const NodeId node : named) {
      if (!status_.nodes.contains(node)) return wrong(key, fmt::format("names node {}, which is missing", node.value()));
    }
    return {};
  }

  const MetadataItems& items_;
  ClusterStatus status_;
};

}  // namespace

MetadataChange cluster_item(const ClusterStatus& status) {
  v1::ClusterItem item;
  item.set_instance(status.instance);
  item.set_next_node(status.next_node.value());
  item.set_next_shard(status.next_shard.value());
  return {std::string(cluster_key), item.SerializeAsString()};
}

MetadataChange configuration_item(const ClusterStatus& status) { return {std::string(configuration_key), status.configuration}; }

MetadataChange node_item(const ClusterStatus& status, NodeId node) {
  const NodeStatus* found = find(status.nodes, node);
  return {node_key(node), found != nullptr ? std::optional(encode(*found)) : std::nullopt};
}

MetadataChange namespace_item(const ClusterStatus& status, const std::string& name) {
  const NamespaceStatus* found = find(status.namespaces, name);
  return {namespace_key(name), found != nullptr ? std::optional(encode(*found)) : std::nullopt};
}

MetadataChange shard_item(const ClusterStatus& status, ShardId shard) {
  const ShardStatus* found = find(status.shards, shard);
  return {shard_key(shard), found != nullptr ? std::optional(encode(*found)) : std::nullopt};
}

Result<ClusterStatus> ClusterStatus::from_items(const MetadataItems& items) { return Decoder(items).decode_all(); }

MetadataItems ClusterStatus::to_items() const {
  MetadataItems items;
  const auto add = [&items](MetadataChange change) { items[std::move(change.key)] = *std::move(change.value); };
  if (!instance.empty()) add(cluster_item(*this));
  if (!configuration.empty()) add(configuration_item(*this));
  for (const auto& [id, node] : nodes) add(node_item(*this, id));
  for (const auto& [name, space] : namespaces) add(namespace_item(*this, name));
  for (const auto& [id, shard] : shards) add(shard_item(*this, id));
  return items;
}

}  // namespace skerry::control
