// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "client/cluster.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::client {

// How often a session of this timeout is kept alive: a tenth, but not more often than every 2 s where the timeout leaves room
// for two lost heartbeats, a third where it does not.
Duration heartbeat_interval(Duration timeout);

// The sessions of a client: one a shard, made when the shard's first ephemeral record is written, kept alive by a background task
// each until closed. A shard that was split or merged took its sessions along, so they are kept alive on all that it became.
// Owned by a Client, on its core.
class Sessions {
 public:
  Sessions(Cluster& cluster, TaskScope& tasks);   // both outlive it

  // The shard's session, made if there is none. Callers at the same time share one request.
  Task<Result<SessionId>> session(ShardId shard, Deadline deadline);
  // The server knows it no more. The next caller of session() gets a new one.
  void lost(ShardId shard, SessionId session);
  bool empty() const { return kept_.empty(); }
  // Ends all, so that their ephemeral records go at once; what cannot be reached in time runs out by itself.
  Task<> close_all(Deadline deadline);

 private:
  struct Entry {
    std::optional<SessionId> id;   // none while it is being made
  };
  Task<Result<SessionId>> create(ShardId shard, Deadline deadline);
  Task<> keep_alive(ShardId shard, SessionId session);
  bool holds(ShardId shard, SessionId session) const { return kept_.contains({shard, session}); }
  void keep(ShardId shard, SessionId session);
  void note_hashes(ShardId shard);
  void follow_shards();
  Task<> watch_shards();

  Cluster& cluster_;
  TaskScope& tasks_;
  std::map<ShardId, Entry> sessions_;   // for new records
  std::set<std::pair<ShardId, SessionId>> kept_;   // alive
  std::map<ShardId, std::pair<std::uint32_t, std::uint32_t>> hashes_;   // of the shards that have sessions, or are about to
  bool watching_ = false;
  Signal changed_;
};

}   // namespace skerry::client
