// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "control/cluster_status.hpp"
#include "control/metadata_change.hpp"

namespace skerry::control {

using CommitNumber = StrongId<struct CommitNumberTag>;   // of what is stored at once; rises by one, from 1 on

struct StatusCommit {
  CommitNumber number;
  std::vector<MetadataChange> changes;
};

// The status of a coordinator in office, and how far it is durable. What is edited goes into the next commit; one is under way at
// a time, so that what changes meanwhile is stored together.
class StatusBook {
 public:
  explicit StatusBook(ClusterStatus status);

  const ClusterStatus& status() const { return status_; }
  const ShardStatus* find(ShardId shard) const;
  const NodeStatus* find(NodeId node) const;
  const NamespaceStatus* find(const std::string& name_space) const;
  const RestoreStatus* find_restore(const std::string& name) const;
  // The node that the server of this name is.
  std::optional<NodeId> node_of(const std::string& name) const;
  int leaders_on(NodeId node) const;

  // --- changes. What is asked to be edited must be there.
  void set_instance(std::string instance);
  void set_configuration(std::string yaml);   // stored only when it is another
  NodeStatus& edit(NodeId node);   // but for its name, and whether it is lost
  void rename(NodeId node, const std::string& name);
  void lose(NodeId node);   // its name is free for another
  NamespaceStatus& edit(const std::string& name_space);
  ShardStatus& edit(ShardId shard);   // but for its leader
  void set_leader(ShardId shard, std::optional<NodeId> leader);
  NodeId add(NodeStatus node);
  void restore(NodeId id, NodeStatus node);   // one that was given out and erased
  void add(const std::string& name, NamespaceStatus name_space);
  ShardId add(ShardStatus shard);
  ShardId reserve_shard();   // a number for one to come
  void add(ShardId reserved, ShardStatus shard);
  void begin_restore(const std::string& name, RestoreStatus restore);
  RestoreStatus end_restore(const std::string& name);
  void erase(NodeId node);
  void erase(const std::string& name_space);
  void erase(ShardId shard);

  // --- what is durable
  CommitNumber changed() const;   // the commit that has the last of the changes
  CommitNumber durable() const { return durable_; }
  bool is_stored(ShardId shard) const { return !shards_changed_.contains(shard) && !shards_storing_.contains(shard); }
  std::optional<StatusCommit> take_commit();   // nothing: one is under way, or nothing has changed
  void stored(CommitNumber number);   // requires: it is the one under way

 private:
  void remember(std::string_view configuration);   // as a former one

  ClusterStatus status_;
  std::map<std::string, NodeId> node_of_;
  std::map<NodeId, int> leaders_;
  bool cluster_changed_ = false, configuration_changed_ = false;
  std::set<NodeId> nodes_changed_;
  std::set<std::string> namespaces_changed_, restores_changed_;
  std::set<ShardId> shards_changed_, shards_storing_;
  CommitNumber begun_{0}, durable_{0};
};

}   // namespace skerry::control
