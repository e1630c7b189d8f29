// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <variant>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "replica/messages.hpp"
#include "store/key_order.hpp"

// What a coordinator asks of a node about one replica, and what may come of it.
namespace skerry::control {

struct FenceReplica {
  replica::NewTerm term;
  // For a node that has no such replica yet.
  std::string name_space;
  store::KeyOrder order = store::KeyOrder::hierarchical;
  bool notifications = true;
};

struct DeleteReplica {
  Term term;   // the shard's
};

struct NodeCall {
  NodeId to;
  ShardId shard;
  std::variant<FenceReplica, replica::BecomeLeader, replica::ChangeMembers, DeleteReplica> what;
  Duration patience{};   // then it counts as unanswered

  Term term() const;   // that it is about
};

struct LeadershipTaken {};
struct MembersTaken {
  bool confirmed = false;   // all before the change is committed under it
};
struct ReplicaDeleted {};
// The node knows better: of a higher term or a newer membership, or it can't do this.
struct Refused {
  std::optional<Term> known;   // the term that the node knows
  std::string why;
};
// It may have been done, or not.
struct Unanswered {
  std::string why;
};
using NodeReply = std::variant<replica::NewTermAnswer, LeadershipTaken, MembersTaken, ReplicaDeleted, Refused, Unanswered>;

}   // namespace skerry::control
