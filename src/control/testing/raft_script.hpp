// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>

#include "control/raft_core.hpp"

namespace skerry::control {

// A few RaftCores, moved by the words of a script (testdata/raft/README.md), with disks, network and time in the script's hands.
// Says in text what each did.
class RaftScript {
 public:
  // Carries out one line and gives what happened, a line each.
  std::string command(const std::string& line);

 private:
  struct Member {
    RaftMember self;
    std::uint64_t life = 0;
    std::unique_ptr<RaftCore> core;
    bool holds_disk = false;
    RaftRecovered durable = {};
  };
  struct Message {
    RaftMember from, to;
    RaftMessage content;
  };

  // --- words
  void start_members(std::istream& in);
  void recovered(std::istream& in);
  void restart(Member& one);
  void campaign(Member& one);
  void run(TimePoint until);
  void cut(std::istream& in);
  void propose(Member& one, std::istream& in);
  void deliver(std::istream& in, int times);
  void drop(std::istream& in);
  TimePoint next_tick() const;
  void pass_time(TimePoint until);
  void take_snapshot(Member& one, std::istream& in);
  void show_status();

  // --- the driver
  Member& member(std::istream& in);
  void boot(Member& one);
  void carry_out(Member& one, const RaftEffects& effects);
  void sync(Member& one);
  void take(const Message& message);
  void say(const Member& one, const std::string& what);
  static std::function<bool(const Message&)> on_link(std::istream& in, bool& named);

  TimePoint now_{};
  std::uint32_t count_ = 0;
  std::map<RaftMember, Member> members_;
  std::deque<Message> messages_;
  std::set<RaftMember> cut_off_;
  std::string out_;
};

}   // namespace skerry::control
