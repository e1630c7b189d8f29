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
                           shard_prefix = "shard/", restore_prefix = "restore/";

std::string node_key(NodeId node) { return fmt::format("{}{}", node_prefix, node.value()); }
std::string namespace_key(const std::string& name) { return std::string(namespace_prefix) + name; }
std::string shard_key(ShardId shard) { return fmt::format("{}{}", shard_prefix, shard.value()); }
std::string restore_key(const std::string& name) { return std::string(restore_prefix) + name; }

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
  item.set_damage(node.damage);
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
    case ShardState::fenced: return v1::ShardItem::FENCED;
    case ShardState::deleting: break;
  }
  return v1::ShardItem::DELETING;
}

v1::ReshapeItem encode(const ReshapeStatus& reshape) {
  v1::ReshapeItem item;
  item.set_phase(static_cast<v1::ReshapeItem::Phase>(reshape.phase));
  for (const ShardId each : reshape.parents) item.add_parents(each.value());
  for (const ShardId each : reshape.children) item.add_children(each.value());
  for (const replica::EntryId& each : reshape.heads) {
    v1::EntryId& head = *item.add_heads();
    head.set_term(each.term.value());
    head.set_offset(each.offset.value());
  }
  return item;
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
  if (shard.reshape) *item.mutable_reshape() = encode(*shard.reshape);
  if (shard.reshaped_with) item.set_reshaped_with(shard.reshaped_with->value());
  return item.SerializeAsString();
}

std::string encode(const RestoreStatus& restore) {
  v1::RestoreItem item;
  item.set_key_order(restore.order == store::KeyOrder::natural ? v1::NATURAL : v1::HIERARCHICAL);
  for (const RestoreStatus::Part& each : restore.parts) {
    v1::RestoreItem::Part& part = *item.add_parts();
    part.set_shard(each.shard.value());
    part.set_hash_min(each.hashes.min);
    part.set_hash_max(each.hashes.max);
    part.set_node(each.node.value());
  }
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
          .removed = item.removed(),
          .damage = item.damage()};
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
    case v1::ShardItem::FENCED: return ShardState::fenced;
    default: return ShardState::election;
  }
}

ReshapeStatus decode(const v1::ReshapeItem& item) {
  ReshapeStatus reshape{.phase = static_cast<ReshapeStatus::Phase>(item.phase()), .parents = {}, .children = {}, .heads = {}};
  for (const std::int64_t each : item.parents()) reshape.parents.emplace_back(each);
  for (const std::int64_t each : item.children()) reshape.children.emplace_back(each);
  for (const v1::EntryId& each : item.heads()) reshape.heads.push_back({Term(each.term()), Offset(each.offset())});
  return reshape;
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
                    .erased = take_nodes(item.erased()),
                    .reshape = std::nullopt,
                    .reshaped_with = std::nullopt};
  if (item.has_reshape()) shard.reshape = decode(item.reshape());
  if (item.has_reshaped_with()) shard.reshaped_with = ShardId(item.reshaped_with());
  if (item.has_leader()) shard.leader = NodeId(item.leader());
  shard.members.version = MembershipVersion(item.members().version());
  shard.members.old_voters = take_nodes(item.members().old_voters());
  shard.members.voters = take_nodes(item.members().voters());
  shard.members.learners = take_nodes(item.members().learners());
  return shard;
}

RestoreStatus decode(const v1::RestoreItem& item) {
  RestoreStatus restore{.order = item.key_order() == v1::NATURAL ? store::KeyOrder::natural : store::KeyOrder::hierarchical};
  for (const v1::RestoreItem::Part& part : item.parts()) {
    restore.parts.push_back({ShardId(part.shard()), {part.hash_min(), part.hash_max()}, NodeId(part.node())});
  }
  return restore;
}

// Takes items one by one; the first that is wrong ends it.
class Decoder {
 public:
  explicit Decoder(const MetadataItems& items) : items_(items) {}

  Result<ClusterStatus> decode_all() {
    for (const auto& [key, value] : items_) TRYV(take(key, value));
    if (!items_.empty() && status_.instance.empty()) return wrong(cluster_key, "is missing");
    for (const auto& [id, shard] : status_.shards) TRYV(check(id, shard));
    for (const auto& [name, restore] : status_.restores) TRYV(check(name, restore));
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
    if (key == former_configurations_key) {
      status_.former_configurations = former_configurations(value);
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
    } else if (key.starts_with(restore_prefix)) {
      TRY(const auto item, parse<v1::RestoreItem>(key, value));
      status_.restores[key.substr(restore_prefix.size())] = decode(item);
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
    if (shard.reshape) TRYV(check(id, *shard.reshape));
    return check_part(id, shard);
  }

  Result<> check(ShardId id, const ReshapeStatus& reshape) const {
    const std::string key = shard_key(id);
    const bool splits = reshape.parents.size() == 1 && reshape.children.size() == 2;
    const bool merges = reshape.parents.size() == 2 && reshape.children.size() == 1;
    const bool has_heads = reshape.phase >= ReshapeStatus::Phase::reshaping;
    if ((!splits && !merges) || reshape.parents.front() != id || reshape.phase > ReshapeStatus::Phase::electing ||
        reshape.heads.size() != (has_heads ? reshape.parents.size() : 0)) {
      return wrong(key, "is reshaped in an impossible way");
    }
    for (const auto* shards : {&reshape.parents, &reshape.children}) {
      for (const ShardId each : *shards) {
        const ShardStatus* found = find(status_.shards, each);
        if (found == nullptr || found->reshaped_with != id)
          return wrong(key, fmt::format("is reshaped with shard {}, which does not know it", each.value()));
      }
    }
    return {};
  }

  Result<> check(const std::string& name, const RestoreStatus& restore) const {
    if (status_.namespaces.contains(name)) return wrong(restore_key(name), "is of a namespace that is there");
    for (const RestoreStatus::Part& part : restore.parts) {
      if (part.shard < status_.next_shard && !status_.shards.contains(part.shard)) continue;
      return wrong(restore_key(name), fmt::format("has the number {} of a shard that is not its own", part.shard.value()));
    }
    return {};
  }

  // What is part of a reshape is known to it; what waits in one for its leader is part of one.
  Result<> check_part(ShardId id, const ShardStatus& shard) const {
    const std::string key = shard_key(id);
    if (!shard.reshaped_with) {
      if (shard.reshape || shard.state == ShardState::fenced) return wrong(key, "is fenced for nothing");
      return {};
    }
    const ShardStatus* first = find(status_.shards, *shard.reshaped_with);
    const auto names = [id](const std::vector<ShardId>& shards) { return std::ranges::find(shards, id) != shards.end(); };
    if (first == nullptr || !first->reshape || (!names(first->reshape->parents) && !names(first->reshape->children))) {
      return wrong(key, fmt::format("is reshaped with shard {}, which does not know it", shard.reshaped_with->value()));
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

MetadataChange former_configurations_item(const ClusterStatus& status) {
  v1::FormerConfigurationsItem item;
  for (const std::uint64_t each : status.former_configurations) item.add_fingerprints(each);
  return {std::string(former_configurations_key), item.SerializeAsString()};
}

std::vector<std::uint64_t> former_configurations(const std::string& item) {
  v1::FormerConfigurationsItem read;
  if (!read.ParseFromString(item)) return {};
  return {read.fingerprints().begin(), read.fingerprints().end()};
}

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

MetadataChange restore_item(const ClusterStatus& status, const std::string& name) {
  const RestoreStatus* found = find(status.restores, name);
  return {restore_key(name), found != nullptr ? std::optional(encode(*found)) : std::nullopt};
}

Result<ClusterStatus> ClusterStatus::from_items(const MetadataItems& items) { return Decoder(items).decode_all(); }

MetadataItems ClusterStatus::to_items() const {
  MetadataItems items;
  const auto add = [&items](MetadataChange change) { items[std::move(change.key)] = *std::move(change.value); };
  if (!instance.empty()) add(cluster_item(*this));
  if (!configuration.empty()) add(configuration_item(*this));
  if (!former_configurations.empty()) add(former_configurations_item(*this));
  for (const auto& [id, node] : nodes) add(node_item(*this, id));
  for (const auto& [name, space] : namespaces) add(namespace_item(*this, name));
  for (const auto& [id, shard] : shards) add(shard_item(*this, id));
  for (const auto& [name, restore] : restores) add(restore_item(*this, name));
  return items;
}

}  // namespace skerry::control
