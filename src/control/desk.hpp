// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/cluster_config.hpp"
#include "control/effects.hpp"
#include "control/failure_detector.hpp"
#include "control/node_reports.hpp"
#include "control/status_book.hpp"

namespace skerry::control {

// What the parts of a coordinator's core share: what is known, what comes out, and which shards must be looked at. A part that
// changes something that another decides by asks for a look at the shard; so none calls another back.
class Desk {
 public:
  explicit Desk(ClusterStatus status) : book(std::move(status)) {}

  StatusBook book;
  FailureDetector detector;
  NodeReports reports;
  std::optional<ClusterConfig> config;
  Effects effects;
  TimePoint now;   // of the event that is dealt with

  // --- looks
  void look_at(ShardId shard) { due_.insert(shard); }
  void look_at(ShardId shard, TimePoint when);   // then at the latest
  void look_when_stored(ShardId shard);   // what has been changed of it
  void look_at_shards_of(NodeId node);   // that it has a replica of, or leads
  void look_at_all();
  void stored(CommitNumber number);
  std::optional<ShardId> next_due();   // whose time has come; nothing: all have been looked at
  TimePoint next_look() const;
  bool is_stored(CommitNumber number) const { return number <= book.durable(); }

  // --- what must be published: of who leads at once, of what exists and where when it is stored
  void leaders_changed() { leaders_changed_ = true; }
  void structure_changed() { structure_ = book.changed(); }
  bool take_leaders_changed() { return std::exchange(leaders_changed_, false); }
  CommitNumber structure() const { return structure_; }
  // Where replicas and leaders should be must be thought over.
  void plan_soon() { plan_soon_ = true; }
  bool take_plan_soon() { return std::exchange(plan_soon_, false); }

  // The shard is to be deleted with all its replicas, and is in no reshape any more.
  void retire(ShardId shard);

  // --- words
  void call(NodeCall call) { effects.calls.push_back(std::move(call)); }
  void inform(std::string text) { effects.notes.push_back({Note::Level::info, std::move(text)}); }
  void warn(std::string text) { effects.notes.push_back({Note::Level::warning, std::move(text)}); }
  std::string name_of(NodeId node) const;
  std::string name_of(ShardId shard) const;
  std::string names_of(const std::vector<NodeId>& nodes) const;   // "n1, n2"

  // Of the reshape that the shard is part of; null: of none.
  const ReshapeStatus* reshape_of(ShardId shard) const;
  bool is_child(ShardId shard) const;   // of a reshape: clients don't see it yet

  // Whether as many of the shard's voters answer as an election needs.
  bool has_responding_majority(const replica::Membership& members) const;

 private:
  std::set<ShardId> due_;
  std::map<ShardId, TimePoint> time_of_;
  std::set<std::pair<TimePoint, ShardId>> times_;
  std::multimap<CommitNumber, ShardId> unstored_;
  bool leaders_changed_ = true, plan_soon_ = true;
  CommitNumber structure_{0};
};

}   // namespace skerry::control
