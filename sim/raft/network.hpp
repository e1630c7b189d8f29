// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <map>
#include <set>
#include <string>

#include "control/raft_messages.hpp"
#include "runtime/random.hpp"
#include "sim/raft/plan.hpp"
#include "sim/replicas/schedule.hpp"
#include "sim/trace.hpp"

namespace skerry::sim {

struct RaftSent {
  control::RaftMember from, to;
  control::RaftMessage content;
};
std::string describe(const RaftSent& message);

// Between coordinators: loses, doubles, delays and so reorders messages, and is cut in one direction or both.
class RaftNetwork {
 public:
  RaftNetwork(Schedule& schedule, Random& random, Trace& trace, const RaftPlan& plan)
      : schedule_(schedule), random_(random), trace_(trace), plan_(plan) {}

  void attach(control::RaftMember member, std::function<void(const RaftSent&)> receiver) {
    receivers_[member] = std::move(receiver);
  }
  void send(RaftSent message);
  void cut(control::RaftMember from, control::RaftMember to) { cut_.emplace(from, to); }
  void heal() { cut_.clear(); }
  void behave() { behaves_ = true; }   // from now on nothing is lost

 private:
  void deliver_later(RaftSent message);

  Schedule& schedule_;
  Random& random_;
  Trace& trace_;
  const RaftPlan& plan_;
  bool behaves_ = false;
  std::map<control::RaftMember, std::function<void(const RaftSent&)>> receivers_;
  std::set<std::pair<control::RaftMember, control::RaftMember>> cut_;
};

}   // namespace skerry::sim
