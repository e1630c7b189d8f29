// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>

#include "control/desk.hpp"

namespace skerry::control {

// Which server is which node: gives identities to the servers of the configuration, holds a standing call to each, and judges by
// their greetings whether they are who they should be. An empty server becomes a node; one that was a node with a folder and
// comes back empty becomes another, and the former is lost: what it had acknowledged is missing, and nobody may count on it. A
// node that says that its disk has damaged what it held may be given up: it is lost before its server hears of it.
class Roster {
 public:
  explicit Roster(Desk& desk) : desk_(desk) {}

  void take_office();
  void configured();   // desk.config has changed
  void stored();   // more is durable
  // The node that greets, when it is bound and the one that is meant.
  std::optional<NodeId> greeted(const std::string& name, const Greeting& greeting);
  void broke(const std::string& name);
  // What the node has found damaged of what it keeps; empty: nothing.
  void reported(NodeId node, const std::string& damage);
  const std::map<NodeId, std::string>& damaged() const { return damaged_; }
  // Requires: it is damaged.
  void give_up(NodeId node);
  // The node whose standing call this is, when it has greeted as it should.
  std::optional<NodeId> standing(const std::string& name) const;
  // Nodes that the configuration no longer has and that hold nothing any more are forgotten. Lost ones are remembered for good: a
  // folder that comes back from somewhere may be older than what was acknowledged.
  void sweep();
  void unreached(const std::string& name, const std::string& why) { unreached_[name] = why; }
  // What is wrong with the server that greeted last, or why it could not be called since; empty: nothing.
  std::string trouble(const std::string& name) const;

 private:
  void attend(NodeId node);
  void let_go(const std::string& name);
  void take_server(const ServerConfig& server);
  std::optional<NodeId> find_renamed(const ServerConfig& server) const;
  bool is_configured(const std::string& name) const;
  std::optional<NodeId> greeted_damaged(const std::string& name, NodeId node, const Greeting& greeting);
  const NodeStatus* given_up(const std::string& name, NodeId node) const;
  NodeId lose(NodeId node);
  void begin_binding(const std::string& name, NodeId node, const Greeting& greeting);
  std::optional<NodeId> adopt(const std::string& name, NodeId placeholder, NodeId bound);
  std::nullopt_t refuse(const std::string& name, NodeId node, std::string why);
  bool is_named(NodeId node) const;

  Desk& desk_;
  std::map<std::string, Attendance> attended_;
  std::set<std::string> standing_;
  std::map<std::string, CommitNumber> binding_;   // when that is stored
  std::map<NodeId, std::string> damaged_;   // with what
  struct GivenUp {
    NodeId node;
    CommitNumber by;
  };
  std::map<std::string, GivenUp> giving_up_;   // told when that is stored
  std::set<std::string> unconfirmed_;   // begun to bind in this term of office; have not greeted as bound, so hold nothing
  std::map<std::string, std::string> troubles_, unreached_;
};

}   // namespace skerry::control
