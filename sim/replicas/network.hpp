// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <variant>
#include <vector>

#include "replica/messages.hpp"
#include "sim/lossy_network.hpp"

namespace skerry::sim {

struct Entries {
  replica::Append header;
  std::vector<std::uint64_t> values;
};
struct Snapshot {
  replica::SnapshotHeader header;
  std::uint64_t state = 0;
};
struct SnapshotTaken {
  Term term;
  Offset offset;
};
struct LeaderInstalled {
  Term term;
};
struct MembersConfirmed {
  Term term;
  MembershipVersion version{0};
};
// Of a coordinator's call, by its kind's index in control::NodeCall.
struct CallRefused {
  Term asked, known;
  std::size_t kind = 0;
};
struct Message {
  ShardId shard;
  NodeId from, to;
  std::variant<Entries, replica::AppendAnswer, Snapshot, SnapshotTaken, replica::Heartbeat, replica::HeartbeatAnswer,
               replica::NewTerm, replica::NewTermAnswer, replica::BecomeLeader, LeaderInstalled, replica::ChangeMembers,
               MembersConfirmed, CallRefused>
      content;
  std::int64_t epoch = 0;   // of the coordinator that asks
};
std::string describe(const Message& message);

using Network = LossyNetwork<Message, NodeId>;   // between nodes and coordinators

}  // namespace skerry::sim
