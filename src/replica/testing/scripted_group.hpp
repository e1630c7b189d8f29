// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <variant>

#include "replica/replica_core.hpp"

namespace skerry::replica {

// The replicas of one shard, moved by the words of a script (testdata/README.md), with everything between them in the script's
// hands. Says in text what each did.
class ScriptedGroup {
 public:
  // Carries out one line and gives what happened, a line each.
  std::string command(const std::string& line);

 private:
  struct Replica {
    NodeId node;
    std::uint64_t incarnation = 1;
    std::unique_ptr<NodeLeases> leases;
    std::unique_ptr<ReplicaCore> core;
    std::vector<Term> log;   // from offset 0 on
    std::int64_t base = 0;   // entries below came in a snapshot or were trimmed
    bool holds_disk = false;
    std::vector<Term> durable_log;
    std::int64_t durable_base = 0;
    LogPosition durable, written;   // what the disk has, and what it was given
  };
  using Content = std::variant<Append, AppendAnswer, Heartbeat, HeartbeatAnswer, SnapshotHeader>;
  struct Message {
    NodeId from, to;
    Content content;
  };

  // --- words
  void start_nodes(std::istream& in);
  void recovered(std::istream& in);
  void restart(std::istream& in);
  void fence(std::istream& in);
  void lead(std::istream& in);
  void change(std::istream& in);
  void propose(std::istream& in);
  void deliver(std::istream& in, bool doubled);
  void drop(std::istream& in);
  void beat(std::istream& in);
  void show_lease(std::istream& in);
  void pass_time(std::istream& in);
  void trim(std::istream& in);
  void show_status();
  void show_messages();

  // --- the driver
  Replica& replica(std::istream& in);
  Replica& replica(NodeId node) { return replicas_.at(node); }
  void boot(Replica& replica, Recovered recovered);
  void carry_out(Replica& replica, const Effects& effects);
  void carry_out(Replica& replica, Result<Effects> effects);
  void change_log(Replica& replica, const Effects& effects);
  void sync(Replica& replica);
  void send_all(Replica& replica);
  void take(const Message& message);
  void say(const Replica& replica, const std::string& what);
  std::string describe(const Message& message) const;
  bool on_link(std::istream& in, std::function<bool(const Message&)>& matches) const;

  TimePoint now_{};
  std::map<NodeId, Replica> replicas_;
  std::map<NodeId, NewTermAnswer> fenced_;   // of the last `fence`
  std::deque<Message> messages_;
  std::string out_;
};

}   // namespace skerry::replica
