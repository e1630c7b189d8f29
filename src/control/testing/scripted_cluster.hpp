// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "control/coordinator_core.hpp"

namespace skerry::control {

// A coordinator's core, moved by the words of a script (testdata/README.md), with the store, the nodes and time in the script's
// hands. Says in text what it wants done.
class ScriptedCluster {
 public:
  // Carries out one line and gives what happened, a line each.
  std::string command(const std::string& line);

 private:
  struct Node {
    NodeId id;
    std::uint64_t incarnation = 1;
    std::string pool;
    bool obeys = false;
    bool beats = false;   // reports by itself that there is nothing new
    std::map<ShardId, replica::EntryId> heads;
    std::map<ShardId, std::uint64_t> bytes, operations;   // of what it leads; a second
    std::map<ShardId, ReplicaReport> leads;   // as it obeyed, and says when it beats
  };

  void take_office(std::istream& in);
  void count_shards_from(std::istream& in);
  void describe_server(std::istream& in);
  void describe_namespace(std::istream& in);
  void describe_auto_split(std::istream& in);
  void set_load(std::istream& in);
  void configure();
  void found(std::istream& in);
  void beat();
  void break_off(const std::string& called);
  void greet(std::istream& in);
  void report(std::istream& in);
  ReplicaReport replica_in(std::istream& in);
  void answer(std::istream& in);
  void refuse(std::istream& in);
  void ignore(std::istream& in);
  void set_head(std::istream& in);
  void wait(std::istream& in);
  void wish(const std::string& word, std::istream& in);
  void wish_split(std::istream& in);
  void begin_restore(std::istream& in);
  void complete_restore(std::istream& in);
  void store();
  void show_status();
  void show_why(std::istream& in);
  void say(const Result<CommitNumber>& result);
  void say(const Result<CoordinatorCore::Begun>& result);

  void carry_out();   // until nothing more comes
  void carry_out(Effects effects);
  void show(const StatusCommit& commit);
  void show(const NodeCall& call);
  void show(const Publication& publication);
  std::string text(const Reshape& reshape) const;
  NodeReply obedience(const NodeCall& call);
  void remember(Node& one, const NodeCall& call);
  std::optional<NodeCall> take_call(std::istream& in);
  std::string name(NodeId node) const;
  std::string names(const std::vector<NodeId>& nodes) const;
  std::string text(const replica::Membership& members) const;
  NodeId node_in(std::istream& in);
  Node& node(const std::string& name) { return nodes_[name]; }

  std::unique_ptr<CoordinatorCore> core_;
  ClusterConfig config_;
  MetadataItems items_;   // durable
  std::optional<StatusCommit> storing_;
  bool stores_at_once_ = true;
  bool shows_publications_ = false;
  TimePoint beaten_at_{1s};
  std::vector<NodeCall> calls_;
  std::map<std::string, Node> nodes_;
  std::map<NodeId, std::string> name_of_;
  TimePoint now_{1s};
  std::string out_;
};

}   // namespace skerry::control
