// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <string>

#include "control/desk.hpp"
#include "control/elections.hpp"

namespace skerry::control {

// Watches over the leaders of all shards, and begins an election where one is missing, has failed or should lead no more; but
// only where as many voters answer as it needs: an election without them would end what may still be served.
class Leadership {
 public:
  Leadership(Desk& desk, Elections& elections) : desk_(desk), elections_(elections) {}

  void look(ShardId shard);
  void forget(ShardId shard) { watches_.erase(shard); }
  // The elections have found it a leader.
  void took_the_lead(ShardId shard);
  void restarted(NodeId node);   // what it led it leads no more

  // A few attempts are made; replaces what was wished before.
  void wish_transfer(ShardId shard, NodeId to);
  // The one that leads is to do so no more; `to` gets the lead rather than another, where it has as much.
  void wish_away(ShardId shard, NodeId to);
  bool is_transferring(ShardId shard) const;
  // Why the shard has no leader that serves; empty: it has.
  // By a node that is there, as far as anybody knows.
  bool is_led(const ShardStatus& shard) const;
  std::string why_not_yet(ShardId shard) const;

 private:
  struct Transfer {
    NodeId to;
    std::optional<NodeId> away_from{};   // then another is as good
    int attempts = 0;
    TimePoint again_at = TimePoint::min();
  };
  struct Watch {
    bool accepted_here = false;   // in this term of office: reports from before may still come
    bool lost = false;   // its node has been started anew since
    std::optional<TimePoint> powerless_since;
    TimePoint serving_since;
    Duration patience{};   // with a leader that does not serve
    std::optional<Transfer> transfer;
  };

  void begin(ShardId shard, ElectionWish wish);
  // Nothing: all is well, or must be waited for.
  std::optional<ElectionWish> cause(ShardId shard, const ShardStatus& status, Watch& watch);
  std::optional<ElectionWish> cause_of_node(const ShardStatus& status, const Watch& watch) const;
  std::optional<ElectionWish> cause_of_terms(ShardId shard, const ShardStatus& status) const;
  std::optional<ElectionWish> cause_of_report(ShardId shard, const ShardStatus& status, Watch& watch);
  std::optional<ElectionWish> cause_of_wishes(ShardId shard, const ShardStatus& status, Watch& watch);
  void end_transfer(Watch& watch);
  bool is_powerless_for_long(ShardId shard, Watch& watch);

  Desk& desk_;
  Elections& elections_;
  std::map<ShardId, Watch> watches_;
};

}   // namespace skerry::control
