// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <map>
#include <set>
#include <variant>
#include <vector>

#include "replica/messages.hpp"
#include "runtime/random.hpp"
#include "sim/replicas/plan.hpp"
#include "sim/replicas/schedule.hpp"
#include "sim/trace.hpp"

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

// Between nodes and coordinators: loses, doubles, delays and so reorders messages, and is cut in one direction or both.
class Network {
 public:
  Network(Schedule& schedule, Random& random, Trace& trace, const Plan& plan)
      : schedule_(schedule), random_(random), trace_(trace), plan_(plan) {}

  void attach(NodeId address, std::function<void(const Message&)> receiver) { receivers_[address] = std::move(receiver); }
  void send(Message message);
  void cut(NodeId from, NodeId to) { cut_.emplace(from, to); }
  bool is_cut(NodeId from, NodeId to) const { return cut_.contains({from, to}); }
  void heal() { cut_.clear(); }
  void behave() { behaves_ = true; }   // from now on nothing is lost

 private:
  void deliver_later(Message message);

  Schedule& schedule_;
  Random& random_;
  Trace& trace_;
  const Plan& plan_;
  bool behaves_ = false;
  std::map<NodeId, std::function<void(const Message&)>> receivers_;
  std::set<std::pair<NodeId, NodeId>> cut_;
};

}  // namespace skerry::sim
