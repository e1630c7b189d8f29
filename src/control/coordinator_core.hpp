// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "control/cluster_config.hpp"
#include "control/cluster_status.hpp"
#include "control/effects.hpp"
#include "control/failure_detector.hpp"
#include "control/metadata.hpp"
#include "control/node_call.hpp"
#include "control/node_report.hpp"
#include "control/restore_wish.hpp"

namespace skerry::control {

// Decides for a whole cluster who leads, who is a member and who is gone, by the rules of docs/adr/0015. Pure: it is told what
// happened and says what to do; it knows no clock, disk or network. One lives for one term of office; its driver owns it, on one
// core.
//
// The driver tells what happens as it happens, then takes the effects: after each event, or after all of one loop turn. One
// commit is under way at a time; what changes meanwhile is in the next. What depends on a change comes out when the change is
// stored.
//
// The standing call to a server: greeted() for each greeting, reported() for each report of a bound node (with all replicas in
// the first after a greeting), broke() when it ends, connect_failed() when none can be made. After broke() the next attempt is
// made at once.
class CoordinatorCore {
 public:
  struct Options {
    std::string fresh_instance;   // the cluster's name, when it has none yet; random
  };
  // Fails with corrupt when the status can't be used.
  static Result<std::unique_ptr<CoordinatorCore>> take_office(const Metadata::Office& office, Options options, TimePoint now);
  ~CoordinatorCore();
  CoordinatorCore(const CoordinatorCore&) = delete;
  CoordinatorCore& operator=(const CoordinatorCore&) = delete;

  // What came of all events since the last time.
  Effects take_effects();

  // --- what happens
  // What people want from now on; kept with the status, also for later terms of office. Fails with invalid_argument when it can't
  // be followed: the one before keeps acting. Without any, nothing is placed or moved.
  Result<CommitNumber> configured(ClusterConfig config, TimePoint now);
  void stored(CommitNumber number, TimePoint now);
  void greeted(const std::string& name, Greeting greeting, TimePoint now);
  void reported(const std::string& name, NodeReport report, TimePoint now);
  void broke(const std::string& name, const std::string& why, TimePoint now);
  void connect_failed(const std::string& name, const std::string& why, TimePoint now);
  void replied(const NodeCall& call, const NodeReply& reply, TimePoint now);
  void tick(TimePoint now);
  TimePoint next_tick() const;

  // --- what people wish. The commit that makes it certain, or not_found, invalid_argument, unavailable and the reason.
  Result<CommitNumber> drain(NodeId node, TimePoint now);
  Result<CommitNumber> undrain(NodeId node, TimePoint now);
  // The replica leaves `from` for `to`.
  struct Move {
    ShardId shard;
    NodeId from, to;
  };
  Result<CommitNumber> move_replica(Move move, TimePoint now);
  // The node must be a voter. Tried a few times: a node that lags behind can't lead.
  Result<CommitNumber> transfer_leader(ShardId shard, NodeId to, TimePoint now);
  // Durable once stored; then it takes its time, and may be given up (why_given_up()).
  struct Begun {
    CommitNumber stored;
    std::vector<ShardId> children;   // in the order of their hashes
  };
  // `point` is the first hash of the second child; nothing: the middle.
  Result<Begun> split_shard(ShardId shard, std::optional<std::uint32_t> point, TimePoint now);
  struct Neighbours {
    ShardId left, right;
  };
  Result<Begun> merge_shards(Neighbours parents, TimePoint now);
  // The split or merge that the shard is part of is given up; invalid_argument once there is no way back.
  Result<CommitNumber> cancel_reshape(ShardId shard, TimePoint now);
  // For good. A configuration that no longer has a namespace does not delete it, a configuration that still has it makes it anew.
  Result<CommitNumber> delete_namespace(const std::string& name, TimePoint now);

  // --- namespaces from backups, see Restores
  struct RestoreBegun {
    CommitNumber stored;   // then the states may be brought to their nodes
    std::vector<RestoreStatus::Part> parts;
  };
  // Whether one of this name may begin: already_exists, unavailable and the reason.
  Result<> check_restore(const RestoreWish& wish) const;
  Result<RestoreBegun> begin_restore(const RestoreWish& wish, TimePoint now);
  // All parts are there, and know these terms: the next configuration that has the namespace makes it. Fails with aborted when
  // the restore of these shards was given up.
  Result<> complete_restore(const std::string& name, const std::map<ShardId, Term>& terms);
  void give_up_restore(const std::string& name, TimePoint now);

  // --- what is
  // As decided; the last of it may not be stored yet.
  const ClusterStatus& status() const;
  const ClusterConfig* config() const;   // null: not configured yet
  // Up to which commit all is certain.
  CommitNumber durable() const;
  NodeCondition condition(NodeId node) const;
  const NodeUsage* usage(NodeId node) const;   // null: none has come
  const Greeting* greeting(NodeId node) const;   // null: none has come
  const ReplicaReport* report(ShardId shard, NodeId node) const;   // the last; null: none has come
  bool serves(ShardId shard) const;   // it has a leader that answers, and says that it has its lease
  // What a shard waits for: to be led, to have the members that are wanted, to be deleted. Empty: nothing.
  std::string why_not_yet(ShardId shard) const;
  std::string why_given_up(ShardId shard) const;   // the last split or merge of it; empty: none was
  std::string why_not_drained(NodeId node) const;   // empty: it holds nothing
  std::string why_missing(const std::string& name_space) const;   // of the configuration; empty: it is there
  std::string trouble(const std::string& name) const;   // with a server that is not who it should be; empty: none

 private:
  struct Parts;
  explicit CoordinatorCore(std::unique_ptr<Parts> parts);
  Result<> check_shard(ShardId shard) const;
  std::unique_ptr<Parts> parts_;
};

}   // namespace skerry::control
