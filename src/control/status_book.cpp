// SPDX-License-Identifier: Apache-2.0
#include "control/status_book.hpp"

#include "base/assert.hpp"
#include "base/hash.hpp"

namespace skerry::control {
namespace {

constexpr std::size_t former_configurations_max = 64;   // that are remembered

template <class Map, class Key>
typename Map::mapped_type& at(Map& map, const Key& key) {
  const auto found = map.find(key);
  SKERRY_ASSERT(found != map.end());
  return found->second;
}

template <class Map, class Key>
const typename Map::mapped_type* look_up(const Map& map, const Key& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

}  // namespace

StatusBook::StatusBook(ClusterStatus status) : status_(std::move(status)) {
  for (const auto& [id, node] : status_.nodes) {
    if (!node.lost) node_of_[node.name] = id;
  }
  for (const auto& [id, shard] : status_.shards) {
    if (shard.leader) ++leaders_[*shard.leader];
  }
}

const ShardStatus* StatusBook::find(ShardId shard) const { return look_up(status_.shards, shard); }
const NodeStatus* StatusBook::find(NodeId node) const { return look_up(status_.nodes, node); }
const NamespaceStatus* StatusBook::find(const std::string& name_space) const { return look_up(status_.namespaces, name_space); }

const RestoreStatus* StatusBook::find_restore(const std::string& name) const { return look_up(status_.restores, name); }

std::optional<NodeId> StatusBook::node_of(const std::string& name) const {
  const NodeId* found = look_up(node_of_, name);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

int StatusBook::leaders_on(NodeId node) const {
  const int* count = look_up(leaders_, node);
  return count == nullptr ? 0 : *count;
}

// --- changes

void StatusBook::set_instance(std::string instance) {
  status_.instance = std::move(instance);
  cluster_changed_ = true;
}

void StatusBook::set_configuration(std::string yaml) {
  if (status_.configuration == yaml) return;
  if (!status_.configuration.empty()) remember(status_.configuration);
  status_.configuration = std::move(yaml);
  configuration_changed_ = true;
}

void StatusBook::remember(std::string_view configuration) {
  auto& former = status_.former_configurations;
  const std::uint64_t print = fingerprint(configuration);
  std::erase(former, print);
  if (former.size() == former_configurations_max) former.erase(former.begin());
  former.push_back(print);
}

NodeStatus& StatusBook::edit(NodeId node) {
  nodes_changed_.insert(node);
  return at(status_.nodes, node);
}

void StatusBook::rename(NodeId id, const std::string& name) {
  NodeStatus& node = edit(id);
  if (node_of(node.name) == id) node_of_.erase(node.name);
  node.name = name;
  node_of_[name] = id;
}

void StatusBook::lose(NodeId id) {
  NodeStatus& node = edit(id);
  node.lost = true;
  if (node_of(node.name) == id) node_of_.erase(node.name);
}

NamespaceStatus& StatusBook::edit(const std::string& name_space) {
  namespaces_changed_.insert(name_space);
  return at(status_.namespaces, name_space);
}

ShardStatus& StatusBook::edit(ShardId shard) {
  shards_changed_.insert(shard);
  return at(status_.shards, shard);
}

void StatusBook::set_leader(ShardId id, std::optional<NodeId> leader) {
  ShardStatus& shard = edit(id);
  if (shard.leader) --leaders_[*shard.leader];
  if (leader) ++leaders_[*leader];
  shard.leader = leader;
}

NodeId StatusBook::add(NodeStatus node) {
  const NodeId id = status_.next_node;
  status_.next_node = id.next();
  cluster_changed_ = true;
  node_of_[node.name] = id;
  status_.nodes[id] = std::move(node);
  nodes_changed_.insert(id);
  return id;
}

void StatusBook::restore(NodeId id, NodeStatus node) {
  SKERRY_ASSERT(id < status_.next_node && !status_.nodes.contains(id));
  node_of_[node.name] = id;
  status_.nodes[id] = std::move(node);
  nodes_changed_.insert(id);
}

void StatusBook::add(const std::string& name, NamespaceStatus name_space) {
  status_.namespaces[name] = name_space;
  namespaces_changed_.insert(name);
}

ShardId StatusBook::add(ShardStatus shard) {
  const ShardId id = reserve_shard();
  add(id, std::move(shard));
  return id;
}

ShardId StatusBook::reserve_shard() {
  const ShardId id = status_.next_shard;
  status_.next_shard = id.next();
  cluster_changed_ = true;
  return id;
}

void StatusBook::add(ShardId reserved, ShardStatus shard) {
  SKERRY_ASSERT(reserved < status_.next_shard && !status_.shards.contains(reserved));
  status_.shards[reserved] = std::move(shard);
  shards_changed_.insert(reserved);
}

void StatusBook::begin_restore(const std::string& name, RestoreStatus restore) {
  status_.restores[name] = std::move(restore);
  restores_changed_.insert(name);
}

RestoreStatus StatusBook::end_restore(const std::string& name) {
  RestoreStatus restore = std::move(at(status_.restores, name));
  status_.restores.erase(name);
  restores_changed_.insert(name);
  return restore;
}

void StatusBook::erase(NodeId node) {
  const std::string& name = at(status_.nodes, node).name;
  if (node_of(name) == node) node_of_.erase(name);
  status_.nodes.erase(node);
  nodes_changed_.insert(node);
}

void StatusBook::erase(const std::string& name_space) {
  status_.namespaces.erase(name_space);
  namespaces_changed_.insert(name_space);
}

void StatusBook::erase(ShardId shard) {
  set_leader(shard, std::nullopt);
  status_.shards.erase(shard);
}

// --- what is durable

CommitNumber StatusBook::changed() const {
  const bool any = cluster_changed_ || configuration_changed_ || !nodes_changed_.empty() || !namespaces_changed_.empty() ||
                   !shards_changed_.empty() || !restores_changed_.empty();
  return any ? begun_.next() : begun_;
}

std::optional<StatusCommit> StatusBook::take_commit() {
  if (begun_ != durable_ || changed() == begun_) return std::nullopt;
  begun_ = begun_.next();
  StatusCommit commit{begun_, {}};
  if (std::exchange(cluster_changed_, false)) commit.changes.push_back(cluster_item(status_));
  if (std::exchange(configuration_changed_, false)) {
    commit.changes.push_back(configuration_item(status_));
    if (!status_.former_configurations.empty()) commit.changes.push_back(former_configurations_item(status_));
  }
  for (const NodeId node : std::exchange(nodes_changed_, {})) commit.changes.push_back(node_item(status_, node));
  for (const std::string& name : std::exchange(namespaces_changed_, {})) commit.changes.push_back(namespace_item(status_, name));
  for (const std::string& name : std::exchange(restores_changed_, {})) commit.changes.push_back(restore_item(status_, name));
  shards_storing_ = std::exchange(shards_changed_, {});
  for (const ShardId shard : shards_storing_) commit.changes.push_back(shard_item(status_, shard));
  return commit;
}

void StatusBook::stored(CommitNumber number) {
  SKERRY_ASSERT(number == begun_ && number == durable_.next());
  durable_ = number;
  shards_storing_.clear();
}

}  // namespace skerry::control
