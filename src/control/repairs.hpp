// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <string>

#include "control/desk.hpp"
#include "control/leadership.hpp"
#include "control/reshapes.hpp"
#include "control/roster.hpp"

namespace skerry::control {

// What becomes of nodes whose disks have damaged what they hold: docs/adr/0018. One is given up, and its server filled anew, as
// soon as every shard that it votes in has a leader elsewhere and a majority of its voters whole without it; until then it is
// kept as it is. A split or merge that is not prepared yet makes way.
class Repairs {
 public:
  Repairs(Desk& desk, Leadership& leadership, Roster& roster, Reshapes& reshapes)
      : desk_(desk), leadership_(leadership), roster_(roster), reshapes_(reshapes) {}

  void look();
  // Of a damaged node: for what it is still needed; empty: it is not damaged.
  std::string why_kept(NodeId node) const;

 private:
  std::string why_needed(NodeId node);
  std::string why_needed(NodeId node, ShardId id, const ShardStatus& shard);
  bool is_whole(NodeId node, ShardId id, const ShardStatus& shard) const;

  Desk& desk_;
  Leadership& leadership_;
  Roster& roster_;
  Reshapes& reshapes_;
  struct Kept {
    std::string why;
    bool is_said = false;
  };
  std::map<NodeId, Kept> kept_;
};

}   // namespace skerry::control
