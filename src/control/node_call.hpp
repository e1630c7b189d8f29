// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "control/cluster_status.hpp"
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

// Parents become children, by a copy of each node's own: the messages in control.proto say what is asked for.
struct Reshape {
  struct Parent {
    ShardId shard;
    Term term;
    replica::EntryId head{};   // not meant where it is only prepared
  };
  struct Child {
    ShardId shard;
    HashRange hashes{};
  };
  std::vector<Parent> parents;
  std::vector<Child> children;
  std::string name_space;
  store::KeyOrder order = store::KeyOrder::hierarchical;
  bool notifications = true;
  Term term;   // of the children's replicas
};

struct PrepareReshape {
  Reshape reshape;
};

struct SealShard {
  Term term;
};

struct UnsealShard {
  Term term;
};

struct NodeCall {
  NodeId to;
  ShardId shard;   // of a reshape the first parent
  std::variant<FenceReplica, replica::BecomeLeader, replica::ChangeMembers, DeleteReplica, PrepareReshape, Reshape, SealShard,
               UnsealShard>
      what;
  Duration patience{};   // then it counts as unanswered

  Term term() const;   // that it is about
};

struct LeadershipTaken {};
struct MembersTaken {
  bool confirmed = false;   // all before the change is committed under it
};
struct ReplicaDeleted {};
struct Reshaped {};   // or prepared
struct ShardSealed {
  replica::EntryId head;   // its last entry, committed
};
struct ShardUnsealed {};
// The node knows better: of a higher term or a newer membership, or it can't do this.
struct Refused {
  enum class Reason : std::uint8_t {
    other,
    behind,            // a parent's last entry is not the head that was named
    foreign_records,   // a parent holds records of other hashes than its own
    sessions_collide,
    not_leader,
  };
  std::optional<Term> known{};   // the term that the node knows
  std::string why{};
  Reason reason = Reason::other;
};
// It may have been done, or not.
struct Unanswered {
  std::string why;
};
using NodeReply = std::variant<replica::NewTermAnswer, LeadershipTaken, MembersTaken, ReplicaDeleted, Reshaped, ShardSealed,
                               ShardUnsealed, Refused, Unanswered>;

}   // namespace skerry::control
