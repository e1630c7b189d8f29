// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "replica/session_expiry.hpp"
#include "replica/shard.hpp"
#include "runtime/task_scope.hpp"
#include "runtime/wait_list.hpp"

namespace skerry::replica {

struct ShardGroupOptions {
  Duration wal_retention_time = 1h;                      // how long changes can be followed back
  std::uint64_t wal_retention_bytes = 1ULL << 30;        // of the node's whole log; the smaller of both wins
  std::uint64_t replay_bytes_max = 128ULL << 20;         // more than this to replay starts a checkpoint
  Duration checkpoint_interval = 1s;                     // how often that is asked
  Duration trim_interval = 10s;
};

// All shards of one node: opens them on the node's log and engine, and looks after both: checkpoints, trimming, expiry of
// sessions. Lives on the node's core; log and engine must outlive it. stop() after the services have stopped.
class ShardGroup final : private store::EngineListener {
 public:
  ShardGroup(Core& core, disk::Log& log, store::Engine& engine, ShardGroupOptions options);
  ~ShardGroup() override;

  // Creates the shard when it is new. Fails with already_exists when it is open.
  Task<Result<Shard*>> open(ShardId id, ShardOptions options);
  void start();                                          // the background work
  store::Engine& engine() { return engine_; }
  Shard* find(ShardId id);                               // null: not here, or not yet open
  const std::map<ShardId, std::unique_ptr<Shard>>& shards() const { return shards_; }
  // Rises when shards come or go, or when what one of them tells of itself may have changed; but for leases, which run out by
  // themselves.
  std::uint64_t changes() const { return changes_; }

  // Why the engine takes nothing more until somebody acts, such as a full disk; nothing while it does.
  std::optional<Error> obstruction() const { return engine_.has_room() ? std::nullopt : engine_.obstacle(); }

  // Takes the shard out of service: it is found no more, refuses what comes, ends what follows it. Nothing if it is not open. It
  // stops though its caller goes, and who asks again waits for it.
  Task<> retire(ShardId id);
  // Takes all out of service, and returns when nobody uses any; fails with deadline_exceeded when somebody still does then.
  Task<Result<>> retire_all(Deadline deadline);
  // Deletes what engine and log hold of a shard that is not open, or was retired; that one when nobody uses it any more. Fails
  // with deadline_exceeded when somebody still does then, with aborted when it was opened meanwhile.
  Task<Result<>> forget(ShardId id, Deadline deadline);

  Task<Result<>> checkpoint();   // now; the log is trimmed below it
  // Stops every shard, then makes the engine durable so that the next start replays nothing.
  Task<Result<>> stop();

 private:
  Shard* find_retired(ShardId id) const;
  Task<> stop_retired(Shard& shard);
  Task<> checkpoint_loop();
  Task<> trim_loop();
  Task<> expiry_loop();
  Task<> trim(Shard& shard);
  bool keeps_from(const Shard& shard, Offset wanted) const;
  bool checkpoint_due() const;
  void stop_writes(const Error& reason);
  void on_room_changed() override;

  Core& core_;
  disk::Log& log_;
  store::Engine& engine_;
  ShardGroupOptions options_;
  std::uint64_t changes_ = 0;
  std::map<ShardId, std::unique_ptr<Shard>> shards_;
  std::vector<std::unique_ptr<Shard>> retired_;   // stopping or stopped; kept while somebody uses them
  std::set<ShardId> stopping_;
  WaitList stopped_;
  TaskScope tasks_;
  TaskScope stops_;   // of retired shards; never cancelled
};

}   // namespace skerry::replica
