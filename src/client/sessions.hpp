// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>

#include "client/cluster.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::client {

// How often a session of this timeout is kept alive: a tenth, but not more often than every 2 s where the timeout leaves room
// for two lost heartbeats, a third where it does not.
Duration heartbeat_interval(Duration timeout);

// The sessions of a client: at most one a shard, made when the shard's first ephemeral record is written, kept alive by a
// background task each until closed. Owned by a Client, on its core.
class Sessions {
 public:
  Sessions(Cluster& cluster, TaskScope& tasks);   // both outlive it

  // The shard's session, made if there is none. Callers at the same time share one request.
  Task<Result<SessionId>> session(ShardId shard, Deadline deadline);
  // The server knows it no more. The next caller of session() gets a new one.
  void lost(ShardId shard, SessionId session);
  bool empty() const { return sessions_.empty(); }
  // Ends all, so that their ephemeral records go at once; what cannot be reached in time runs out by itself.
  Task<> close_all(Deadline deadline);

 private:
  struct Entry {
    std::optional<SessionId> id;     // none while it is being made
  };
  Task<Result<SessionId>> create(ShardId shard, Deadline deadline);
  Task<> keep_alive(ShardId shard, SessionId session);
  bool holds(ShardId shard, SessionId session) const;

  Cluster& cluster_;
  TaskScope& tasks_;
  std::map<ShardId, Entry> sessions_;
  Signal changed_;
};

}  // namespace skerry::client
