// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <set>
#include <string>

#include "control/desk.hpp"
#include "control/reshapes.hpp"

namespace skerry::control {

// Splits shards that have been too large or too busy for a while, as the configuration's autoSplit says; one of a namespace at a
// time, and the next one not before a pause. A coordinator that takes office begins to count anew.
class Growth {
 public:
  Growth(Desk& desk, Reshapes& reshapes) : desk_(desk), reshapes_(reshapes) {}

  void look();   // when something has happened; does nothing before next_look()
  TimePoint next_look() const { return next_look_; }

 private:
  // Why it should be split; empty: it need not.
  std::string why_too_much(ShardId shard) const;
  void watch(ShardId shard);
  void split(ShardId shard);

  Desk& desk_;
  Reshapes& reshapes_;
  TimePoint next_look_ = TimePoint::min();
  std::map<ShardId, TimePoint> since_;   // above a bound
  std::map<std::string, TimePoint> not_before_;   // by namespace
};

}   // namespace skerry::control
