// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/desk.hpp"

namespace skerry::control {

// Takes shards to the members that are wanted, step by step: learners in; when they have caught up, joint; when the leader
// confirms that, out of it; when it confirms that, the replicas of those that left are deleted. Each step is stored before the
// leader hears of it. Only a shard with a leader moves; an election in the middle changes nothing. Few shards take learners at a
// time.
class MemberSteps {
 public:
  explicit MemberSteps(Desk& desk) : desk_(desk) {}

  void look(ShardId shard);
  void forget(ShardId shard);
  void took_the_lead(ShardId shard);   // another leader, or the same in another term
  void replied(const NodeCall& call, const NodeReply& reply);
  // The members are those that are wanted, and the leader has confirmed them.
  bool are_settled(ShardId shard) const;
  // What the way to the wanted members waits for; empty: they are there.
  std::string why_not_yet(ShardId shard) const;

 private:
  struct Asked {
    bool out = false;
    TimePoint again_at = TimePoint::min();
    Duration pause{};
    std::string refusal;
  };
  struct Work {
    std::optional<std::pair<Term, MembershipVersion>> confirmed;   // by a leader's answer
    Asked change;
    std::map<NodeId, Asked> deletions;
  };

  void look_at_members(ShardId shard);
  static bool is_there(const ShardStatus& status);   // where it should be
  bool is_confirmed(ShardId shard, const ShardStatus& status, const Work& work) const;
  void ask_leader(ShardId shard, const ShardStatus& status, Work& work);
  void step_towards(ShardId shard, const std::vector<NodeId>& target);
  bool may_begin(ShardId shard, const std::vector<NodeId>& learners);
  bool has_room(ShardId shard, NodeId node) const;
  std::uint64_t bytes_of(ShardId shard) const;
  bool have_caught_up(ShardId shard, const ShardStatus& status) const;
  void change(ShardId shard, replica::Membership next);
  void arrive(ShardId shard);
  void look_at_deletions(ShardId shard);
  void ask_to_delete(ShardId shard, NodeId node, Asked& asked);
  void deleted(ShardId shard, NodeId node);
  bool is_gone_for_good(NodeId node) const;
  void take_change(Work& work, const NodeCall& call, const NodeReply& reply);
  void take_deletion(Work& work, const NodeCall& call, const NodeReply& reply);
  void ask_later(Asked& asked, const NodeReply& reply, Duration pause_max);

  Desk& desk_;
  std::map<ShardId, Work> works_;
  std::map<ShardId, std::vector<NodeId>> moving_;   // to these, which learn
};

}   // namespace skerry::control
