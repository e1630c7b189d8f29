// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <string>

#include "control/desk.hpp"
#include "control/leadership.hpp"
#include "control/placement.hpp"

namespace skerry::control {

// Decides where replicas and leaders should be: creates the namespaces that are configured, gives shards other voters where
// theirs can't stay, and evens out the load a few steps at a time. A node that only failed keeps its replicas. Without a
// configuration nothing is planned.
class Planning {
 public:
  Planning(Desk& desk, Leadership& leadership) : desk_(desk), leadership_(leadership) {}

  void configured();
  void look();   // when desk.take_plan_soon(), and at next_look()
  TimePoint next_look() const { return next_look_; }

  // --- wishes. They fail with invalid_argument or unavailable; the text says why.
  Result<> check_drain(NodeId node) const;
  Result<> move_replica(ShardId shard, NodeId from, NodeId to);
  void delete_namespace(const std::string& name);

  // Voters for each of so many new shards. Fails as choose_voters() does, and with resource_exhausted.
  Result<std::vector<std::vector<NodeId>>> place(std::uint32_t shards, const PlacementRules& rules) const;

  // Why the voters of a shard are not what they should be; empty: they are, or are on the way.
  std::string why_not_yet(ShardId shard) const;
  // Why a namespace of the configuration is not there; empty: it is.
  std::string why_missing(const std::string& name_space) const;

 private:
  void create_missing();
  Result<> create(const NamespaceConfig& wanted);
  bool awaits_greetings() const;
  void take_config(const NamespaceConfig& wanted, const NamespaceStatus& known);
  void place_all();
  void balance();
  bool is_moving(const ShardStatus& shard) const;
  PlacementNodes nodes() const;
  PlacementRules rules_of(const std::string& name_space) const;
  bool hands_over(ShardId shard, const std::vector<NodeId>& voters, PlacementNodes& around);
  void want(ShardId shard, std::vector<NodeId> voters);
  struct Weights;
  Weights weights() const;
  void add_loads(PlacementNodes& nodes) const;

  Desk& desk_;
  Leadership& leadership_;
  TimePoint next_look_ = TimePoint::min(), next_balancing_ = TimePoint::min();
  std::optional<TimePoint> configured_at_;   // first, in this term of office
  std::map<std::string, std::string> missing_;
  std::map<ShardId, std::string> misplaced_;
  std::map<ShardId, NodeId> handed_over_;   // who was to hand the lead over before it goes
};

}   // namespace skerry::control
