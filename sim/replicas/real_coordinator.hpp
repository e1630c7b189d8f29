// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/coordinator_core.hpp"
#include "sim/replicas/coordinator.hpp"

namespace skerry::sim {

// The cluster's status as real coordinators keep it, durable when it says so; and what was told because of it.
class SimMetadata {
 public:
  SimMetadata(StatusStore& statuses, Oracle& oracle, const Plan& plan);

  control::Metadata::Office take_office();
  bool is_in_office(std::int64_t epoch) const { return epoch == epoch_; }
  // False: another has taken office since.
  bool commit(std::int64_t epoch, const std::vector<control::MetadataChange>& changes);
  // What is wrong with asking this now; empty: nothing. No term has two leaders, and nothing is asked that is not durable.
  std::string why_not(std::int64_t epoch, const control::NodeCall& call);
  // That clients may use.
  std::vector<ShardId> shards() const;

 private:
  std::string why_not_reshaped(const control::NodeCall& call) const;
  void tell(const control::ReshapeStatus& reshape);

  StatusStore& statuses_;
  Oracle& oracle_;
  control::MetadataItems items_;
  control::ClusterStatus status_;   // what the items say
  std::int64_t epoch_ = 0;
  std::map<std::pair<ShardId, Term>, NodeId> told_to_lead_;
};

// The coordinator's core as it is, between the simulated replicas, a status that takes its time to be stored, and people who wish
// this and that. Takes office when it pleases, and acts on until it notices that another has.
class RealCoordinator final : public GroupCoordinator {
 public:
  RealCoordinator(Surroundings& around, SimMetadata& metadata, std::vector<std::unique_ptr<SimNode>>& nodes, NodeId address);

  void receive(const Message& message) override;
  void elect(ShardId shard) override;   // wishes another leader
  void change_members(ShardId shard) override;   // wishes other members, in one way or another
  void reshape(ShardId shard) override;
  void tend(ShardId shard, bool is_well, bool is_settled) override;
  bool is_settled(ShardId shard) const override;

 private:
  struct Call {
    std::uint64_t number = 0;
    control::NodeCall call;
  };

  void take_office();
  void leave_office();
  void configure();
  void poll();
  void attend(SimNode& node);
  void act();
  void store(control::StatusCommit commit);
  void ask(const control::NodeCall& call);
  void call(std::uint64_t number, const control::NodeCall& call);
  std::optional<control::NodeReply> answer(const control::NodeCall& call);
  void wait_for_answer(std::uint64_t number, const control::NodeCall& call, TimePoint until);
  bool loses() { return !behaves_ && around_.random.chance(around_.plan.lost); }
  void reply(std::uint64_t number, const control::NodeReply& reply);
  template <class Fits>
  std::optional<std::uint64_t> find_call(const Message& message, Fits fits) const;
  // In this term of office only.
  void later(Duration length, std::function<void()> what);
  TimePoint now() const { return around_.schedule.now(); }
  NodeId any_node() const { return NodeId(static_cast<std::uint32_t>(around_.random.below(nodes_.size()))); }

  Surroundings& around_;
  SimMetadata& metadata_;
  std::vector<std::unique_ptr<SimNode>>& nodes_;
  const NodeId address_;
  std::unique_ptr<control::CoordinatorCore> core_;
  std::int64_t epoch_ = 0;
  std::uint64_t offices_ = 0, calls_made_ = 0;
  std::uint32_t replicas_ = 1;   // as wished
  bool configured_ = false, behaves_ = false;
  std::vector<Call> calls_;
  std::map<NodeId, std::uint64_t> standing_;   // the node's life, as it was greeted
};

}   // namespace skerry::sim
