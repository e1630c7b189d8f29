// SPDX-License-Identifier: Apache-2.0
#include "control/cluster_status.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <iterator>

#include "base/assert.hpp"

namespace skerry::control {
namespace {

// Oxia's states are numbers.
int state_number(ShardState state) {
  switch (state) {
    case ShardState::steady: return 1;
    case ShardState::election:
    case ShardState::fenced: return 2;
    case ShardState::deleting: break;
  }
  return 3;
}

// Its phases too; their names are Bootstrap, CatchUp and Cutover.
int phase_number(ReshapeStatus::Phase phase) {
  switch (phase) {
    case ReshapeStatus::Phase::preparing: return 0;
    case ReshapeStatus::Phase::sealing: return 1;
    default: return 2;
  }
}

// Writes the document. Servers that are gone keep their number for a name.
class Rendering {
 public:
  explicit Rendering(const ClusterStatus& status) : status_(status) {}

  std::string text() {
    out_ << YAML::BeginMap;
    put("instanceId", status_.instance);
    put("shardIdGenerator", status_.next_shard.value());
    put("serverIdx", 0);
    out_ << YAML::Key << "namespaces" << YAML::Value << YAML::BeginMap;
    for (const auto& [name, space] : status_.namespaces) emit(name, space);
    out_ << YAML::EndMap;
    out_ << YAML::Key << "nodes" << YAML::Value << YAML::BeginMap;
    for (const auto& [id, node] : status_.nodes) emit(id, node);
    out_ << YAML::EndMap << YAML::EndMap;
    return std::string(out_.c_str()) + "\n";
  }

 private:
  template <class Value>
  void put(const char* key, const Value& value) {
    out_ << YAML::Key << key << YAML::Value << value;
  }

  void emit(const std::string& name, const NamespaceStatus& space) {
    out_ << YAML::Key << name << YAML::Value << YAML::BeginMap;
    put("replicationFactor", space.replicas);
    put("keySorting", space.order == store::KeyOrder::natural ? "natural" : "hierarchical");
    put("notificationsEnabled", space.notifications);
    out_ << YAML::Key << "shards" << YAML::Value << YAML::BeginMap;
    for (const auto& [id, shard] : status_.shards) {
      if (shard.name_space == name) emit(id, shard);
    }
    out_ << YAML::EndMap << YAML::EndMap;
  }

  void emit(ShardId id, const ShardStatus& shard) {
    out_ << YAML::Key << id.value() << YAML::Value << YAML::BeginMap;
    put("status", state_number(shard.state));
    put("term", shard.term.value());
    if (shard.leader) {
      out_ << YAML::Key << "leader" << YAML::Value;
      emit_server(*shard.leader);
    }
    emit_servers("ensemble", shard.members.voters);
    emit_servers("removedNodes", leaving(shard.members));
    emit_servers("pendingDeleteShardNodes", shard.removed);
    emit_servers("learners", shard.members.learners);
    emit_servers("wanted", shard.wanted);
    put("membershipVersion", shard.members.version.value());
    out_ << YAML::Key << "int32HashRange" << YAML::Value << YAML::Flow << YAML::BeginMap;
    put("min", shard.hashes.min);
    put("max", shard.hashes.max);
    out_ << YAML::EndMap;
    if (shard.reshaped_with) emit_reshape(*status_.shards.at(*shard.reshaped_with).reshape);
    out_ << YAML::EndMap;
  }

  void emit_reshape(const ReshapeStatus& reshape) {
    out_ << YAML::Key << (reshape.is_split() ? "split" : "merge") << YAML::Value << YAML::BeginMap;
    put("phase", phase_number(reshape.phase));
    if (reshape.is_split()) {
      put("parentShardId", reshape.parents.front().value());
      emit_ids("childShardIds", reshape.children);
      put("splitPoint", status_.shards.at(reshape.children.back()).hashes.min);
    } else {
      emit_ids("parentShardIds", reshape.parents);
      put("childShardId", reshape.children.front().value());
    }
    out_ << YAML::EndMap;
  }

  void emit_ids(const char* key, const std::vector<ShardId>& shards) {
    out_ << YAML::Key << key << YAML::Value << YAML::Flow << YAML::BeginSeq;
    for (const ShardId shard : shards) out_ << shard.value();
    out_ << YAML::EndSeq;
  }

  void emit(NodeId id, const NodeStatus& node) {
    out_ << YAML::Key << id.value() << YAML::Value << YAML::BeginMap;
    put("name", node.name);
    put("public", node.public_address);
    put("internal", node.internal_address);
    put("pool", node.pool);
    put("bound", node.bound);
    put("lost", node.lost);
    put("draining", node.draining);
    put("removed", node.removed);
    put("damage", node.damage);
    out_ << YAML::EndMap;
  }

  static std::vector<NodeId> leaving(const replica::Membership& members) {
    std::vector<NodeId> nodes;
    std::ranges::copy_if(members.old_voters, std::back_inserter(nodes),
                         [&](NodeId node) { return std::ranges::find(members.voters, node) == members.voters.end(); });
    return nodes;
  }

  void emit_servers(const char* key, const std::vector<NodeId>& nodes) {
    if (nodes.empty()) return;
    out_ << YAML::Key << key << YAML::Value << YAML::BeginSeq;
    for (const NodeId node : nodes) emit_server(node);
    out_ << YAML::EndSeq;
  }

  void emit_server(NodeId id) {
    out_ << YAML::Flow << YAML::BeginMap;
    if (const auto found = status_.nodes.find(id); found != status_.nodes.end()) {
      put("name", found->second.name);
      put("public", found->second.public_address);
      put("internal", found->second.internal_address);
    } else {
      put("name", id.value());
    }
    out_ << YAML::EndMap;
  }

  const ClusterStatus& status_;
  YAML::Emitter out_;
};

}  // namespace

std::vector<HashRange> split_hashes(std::uint32_t shards) {
  SKERRY_ASSERT(shards > 0);
  const std::uint64_t bucket = UINT32_MAX / shards + std::uint64_t{1};
  std::vector<HashRange> ranges;
  for (std::uint32_t i = 0; i < shards; ++i) {
    const auto start = static_cast<std::uint32_t>(i * bucket);
    ranges.push_back({start, i + 1 == shards ? UINT32_MAX : static_cast<std::uint32_t>(start + bucket - 1)});
  }
  return ranges;
}

std::string ClusterStatus::to_yaml() const { return Rendering(*this).text(); }

}  // namespace skerry::control
