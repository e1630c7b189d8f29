// SPDX-License-Identifier: Apache-2.0
#include "control/cluster_view.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "control/node_lists.hpp"
#include "control/report_messages.hpp"

namespace skerry::control {
namespace {

using Kind = v1::ClusterReplica::Kind;

struct Assigned {
  std::vector<ShardId> held, led;
};

v1::ClusterNode::Condition write(NodeCondition condition) {
  switch (condition) {
    case NodeCondition::unknown: return v1::ClusterNode::UNKNOWN;
    case NodeCondition::serving: return v1::ClusterNode::SERVING;
    case NodeCondition::suspected: return v1::ClusterNode::SUSPECTED;
    case NodeCondition::failed: return v1::ClusterNode::FAILED;
  }
  return v1::ClusterNode::UNKNOWN;
}

v1::ClusterShard::State state_in_view(ShardState state) {
  switch (state) {
    case ShardState::steady: return v1::ClusterShard::STEADY;
    case ShardState::election: return v1::ClusterShard::ELECTION;
    case ShardState::deleting: return v1::ClusterShard::DELETING;
    case ShardState::fenced: return v1::ClusterShard::FENCED;
  }
  return v1::ClusterShard::STEADY;
}

v1::ClusterReshape write(const ReshapeStatus& reshape) {
  v1::ClusterReshape written;
  written.set_phase(static_cast<v1::ClusterReshape::Phase>(reshape.phase));
  for (const ShardId each : reshape.parents) written.add_parents(each.value());
  for (const ShardId each : reshape.children) written.add_children(each.value());
  return written;
}

v1::ReplicaReport::Role write(ReplicaReport::Role role) {
  switch (role) {
    case ReplicaReport::Role::fenced: return v1::ReplicaReport::FENCED;
    case ReplicaReport::Role::follower: return v1::ReplicaReport::FOLLOWER;
    case ReplicaReport::Role::leader: return v1::ReplicaReport::LEADER;
    case ReplicaReport::Role::gone: return v1::ReplicaReport::GONE;
    case ReplicaReport::Role::failed: return v1::ReplicaReport::FAILED;
  }
  return v1::ReplicaReport::GONE;
}

Kind kind_of(const replica::Membership& members, NodeId node) {
  if (!members.votes(node)) return v1::ClusterReplica::LEARNER;
  if (!members.joint() || (holds(members.voters, node) && holds(members.old_voters, node))) return v1::ClusterReplica::VOTER;
  return holds(members.voters, node) ? v1::ClusterReplica::JOINING : v1::ClusterReplica::LEAVING;
}

// What the leader knows of a follower; null when it says nothing of it.
const ReplicaReport::Follower* follower_of(const ReplicaReport* leader, NodeId node) {
  if (leader == nullptr) return nullptr;
  const auto found = std::ranges::find(leader->followers, node, &ReplicaReport::Follower::node);
  return found == leader->followers.end() ? nullptr : &*found;
}

class Writer {
 public:
  explicit Writer(const CoordinatorCore& core) : core_(core), status_(core.status()) {
    for (const auto& [id, shard] : status_.shards) {
      for (const NodeId node : shard.members.members()) assigned_[node].held.push_back(id);
      if (shard.leader) assigned_[*shard.leader].led.push_back(id);
    }
  }

  void write_nodes(v1::Cluster& cluster) const {
    for (const auto& [id, node] : status_.nodes) write_node(id, node, *cluster.add_nodes());
  }
  void write_namespaces(v1::Cluster& cluster) const;
  void write_shards(v1::Cluster& cluster) const {
    for (const auto& [id, shard] : status_.shards) write_shard(id, shard, *cluster.add_shards());
  }

 private:
  void write_node(NodeId id, const NodeStatus& node, v1::ClusterNode& written) const;
  void write_shard(ShardId id, const ShardStatus& shard, v1::ClusterShard& written) const;
  void write_replica(ShardId shard, NodeId node, const ReplicaReport* leader, v1::ClusterReplica& written) const;
  const ReplicaReport* report_of_leader(ShardId id, const ShardStatus& shard) const;
  std::string why_not_whole(ShardId id, const ShardStatus& shard) const;

  const CoordinatorCore& core_;
  const ClusterStatus& status_;
  std::map<NodeId, Assigned> assigned_;
};

void Writer::write_node(NodeId id, const NodeStatus& node, v1::ClusterNode& written) const {
  written.set_node(id.value());
  written.set_name(node.name);
  written.set_public_(node.public_address);
  written.set_internal(node.internal_address);
  written.set_pool(node.pool);
  if (const Greeting* greeting = core_.greeting(id)) {
    written.set_version(greeting->version);
    written.set_kept_aside(greeting->kept_aside);
  }
  written.set_damage(node.damage);
  written.set_condition(write(core_.condition(id)));
  written.set_bound(node.bound);
  written.set_lost(node.lost);
  written.set_draining(node.draining);
  written.set_removed(node.removed);
  if (const auto assigned = assigned_.find(id); assigned != assigned_.end()) {
    const auto& [held, led] = assigned->second;
    written.set_replicas(static_cast<std::uint32_t>(held.size()));
    written.set_leaders(static_cast<std::uint32_t>(led.size()));
    for (const ShardId shard : held) written.add_held_shards(shard.value());
    for (const ShardId shard : led) written.add_led_shards(shard.value());
  }
  if (node.draining || node.removed || node.lost) written.set_why_not_drained(core_.why_not_drained(id));
  if (!node.lost) written.set_trouble(core_.trouble(node.name));
  if (const NodeUsage* usage = core_.usage(id)) *written.mutable_usage() = control::write(*usage);
}

void Writer::write_namespaces(v1::Cluster& cluster) const {
  std::map<std::string, std::uint32_t> shards;
  for (const auto& [id, shard] : status_.shards) ++shards[shard.name_space];
  for (const auto& [name, space] : status_.namespaces) {
    v1::ClusterNamespace& written = *cluster.add_namespaces();
    written.set_name(name);
    written.set_replicas(space.replicas);
    written.set_notifications(space.notifications);
    written.set_key_order(space.order == store::KeyOrder::natural ? v1::NATURAL : v1::HIERARCHICAL);
    written.set_shards(shards[name]);
    written.set_deleting(space.deleting);
    written.set_why_missing(core_.why_missing(name));
  }
  if (core_.config() == nullptr) return;
  for (const NamespaceConfig& wanted : core_.config()->namespaces) {
    if (status_.namespaces.contains(wanted.name)) continue;
    v1::ClusterNamespace& written = *cluster.add_namespaces();
    written.set_name(wanted.name);
    written.set_replicas(wanted.replicas);
    written.set_notifications(wanted.notifications);
    written.set_key_order(wanted.order == store::KeyOrder::natural ? v1::NATURAL : v1::HIERARCHICAL);
    const std::string why = core_.why_missing(wanted.name);
    written.set_why_missing(why.empty() ? "it is being made" : why);
  }
}

const ReplicaReport* Writer::report_of_leader(ShardId id, const ShardStatus& shard) const {
  if (!shard.leader) return nullptr;
  const ReplicaReport* report = core_.report(id, *shard.leader);
  return report != nullptr && report->role == ReplicaReport::Role::leader ? report : nullptr;
}

void Writer::write_shard(ShardId id, const ShardStatus& shard, v1::ClusterShard& written) const {
  written.set_shard(id.value());
  written.set_namespace_(shard.name_space);
  written.set_hash_min(shard.hashes.min);
  written.set_hash_max(shard.hashes.max);
  written.set_state(state_in_view(shard.state));
  written.set_term(shard.term.value());
  if (shard.leader) written.set_leader(shard.leader->value());
  const ReplicaReport* leader = report_of_leader(id, shard);
  written.set_head((leader != nullptr ? leader->head : no_offset).value());
  written.set_commit((leader != nullptr ? leader->commit : no_offset).value());
  if (leader != nullptr) {
    written.set_serving(core_.serves(id));
    written.set_bytes(leader->bytes);
    written.set_reads(leader->reads);
    written.set_writes(leader->writes);
  }
  for (const NodeId node : shard.members.members()) {
    v1::ClusterReplica& replica = *written.add_replicas();
    write_replica(id, node, leader, replica);
    replica.set_kind(kind_of(shard.members, node));
  }
  for (const NodeId node : shard.removed) {
    if (shard.members.has(node)) continue;
    v1::ClusterReplica& replica = *written.add_replicas();
    write_replica(id, node, leader, replica);
    replica.set_kind(v1::ClusterReplica::REMOVED);
  }
  for (const NodeId node : shard.wanted) written.add_wanted(node.value());
  const std::string why = core_.why_not_yet(id);
  written.set_why_not_yet(why.empty() ? why_not_whole(id, shard) : why);
  written.set_given_up(core_.why_given_up(id));
  if (shard.reshaped_with) *written.mutable_reshape() = write(*status_.shards.at(*shard.reshaped_with).reshape);
}

// Which of its replicas it has to do without.
std::string Writer::why_not_whole(ShardId id, const ShardStatus& shard) const {
  for (const NodeId node : shard.members.members()) {
    const std::string& name = status_.nodes.at(node).name;
    if (core_.condition(node) == NodeCondition::failed) return fmt::format("{} has failed", name);
    const ReplicaReport* report = core_.report(id, node);
    if (report != nullptr && !report->reason.empty()) return fmt::format("{} can't keep it: {}", name, report->reason);
  }
  return {};
}

void Writer::write_replica(ShardId shard, NodeId node, const ReplicaReport* leader, v1::ClusterReplica& written) const {
  written.set_node(node.value());
  const ReplicaReport* report = core_.report(shard, node);
  written.set_reported(report != nullptr);
  written.set_head((report != nullptr ? report->head : no_offset).value());
  written.set_commit((report != nullptr ? report->commit : no_offset).value());
  if (report != nullptr) {
    written.set_role(write(report->role));
    written.set_reason(report->reason);
  }
  const ReplicaReport::Follower* follower = follower_of(leader, node);
  if (follower == nullptr) return;
  written.set_streaming(follower->streaming);
  written.set_lag(static_cast<std::uint64_t>(std::max<std::int64_t>(leader->head.value() - follower->matched.value(), 0)));
}

}  // namespace

v1::Cluster cluster_view(const CoordinatorCore& core) {
  v1::Cluster cluster;
  cluster.set_instance(core.status().instance);
  cluster.set_configured(core.config() != nullptr);
  const Writer writer(core);
  writer.write_nodes(cluster);
  writer.write_namespaces(cluster);
  writer.write_shards(cluster);
  return cluster;
}

v1::Cluster nodes_view(const CoordinatorCore& core) {
  v1::Cluster cluster;
  Writer(core).write_nodes(cluster);
  return cluster;
}

}  // namespace skerry::control
