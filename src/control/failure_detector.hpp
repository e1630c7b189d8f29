// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "replica/messages.hpp"

namespace skerry::control {

enum class NodeCondition : std::uint8_t {
  unknown,   // nothing has been heard yet
  serving,
  suspected,   // its standing call broke
  failed,
};

// Judges from what is heard of the nodes, and what is not, which of them are there, and which may be trusted with leading. Pure.
// A coordinator's, for one term of office; all nodes are unknown at its beginning.
//
// A broken call is suspicion; a failed attempt to make another one, or another node that does not hear it either, makes it a
// failure. So does silence. Time in which the coordinator itself stood still is nobody's silence.
class FailureDetector {
 public:
  void set_distrust_max(Duration longest) { distrust_max_ = longest; }

  void attend(NodeId node, TimePoint now);   // one that is watched already stays as it is
  void forget(NodeId node) { nodes_.erase(node); }

  // --- what is heard. Of nodes that aren't watched it is ignored. True: the process has been started anew.
  bool greeted(NodeId node, replica::Incarnation incarnation, TimePoint now);
  void heard(NodeId node, Duration disk_silence, std::vector<NodeId> unheard, TimePoint now);
  void broke(NodeId node, TimePoint now);
  void connect_failed(NodeId node, TimePoint now);
  // It stays, and failed as a leader.
  void distrust(NodeId node, TimePoint now);
  // Before anything else that happens at this time.
  void tick(TimePoint now);
  TimePoint next_tick() const;   // TimePoint::max(): nothing is waited for
  // Those that have failed since the last time, and are not back.
  std::vector<NodeId> take_failed();

  // --- what it means
  NodeCondition condition(NodeId node) const;
  // What is asked of it may be answered: it serves or is only suspected, and its disk moves.
  bool responds(NodeId node) const;
  bool is_disk_silent(NodeId node) const;
  // Serves, and has done so for as long as its failures demand.
  bool is_trusted(NodeId node, TimePoint now) const;
  TimePoint trusted_from(NodeId node) const;
  std::optional<replica::Incarnation> incarnation(NodeId node) const;   // none: it has not greeted
  std::optional<TimePoint> failed_since(NodeId node) const;   // none: it has not failed

 private:
  struct Node {
    NodeCondition condition = NodeCondition::unknown;
    TimePoint heard;   // or when it was first waited for
    std::optional<replica::Incarnation> incarnation;
    Duration disk_silence{};
    std::vector<NodeId> unheard;
    Duration distrust{};   // for how long, after it came back
    TimePoint trusted_from = TimePoint::min();
    std::optional<TimePoint> failed_at;   // last
  };

  const Node* find(NodeId node) const;
  Node* find(NodeId node);
  void fail(Node& node, TimePoint now);
  void count_failure(Node& node, TimePoint now);
  void forgive_own_absence(TimePoint now);
  bool is_unheard_by_others(NodeId node) const;
  TimePoint silent_at(const Node& node) const;   // when its silence makes it failed

  std::map<NodeId, Node> nodes_;
  std::vector<NodeId> newly_failed_;
  std::optional<TimePoint> last_tick_;
  Duration distrust_max_ = 5min;
};

}   // namespace skerry::control
