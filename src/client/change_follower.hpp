// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>

#include "base/result.hpp"
#include "client/types.hpp"
#include "runtime/task.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::client {

class Cluster;
class ChangeQueue;

// Follows the changes of every shard of a namespace; the changes of one shard come in their order, those of different shards
// in no particular one. Connections that break are made again where they stopped, without gap or duplicate, as long as the server
// still keeps the changes in between (an hour by default). Of what it keeps no more a change of kind gap tells, where the server
// offers skerry.store.v1; Oxia's protocol has no word for it. Shards that a
// split makes are followed from where their parent stopped.
// Handed out by a Client, which must outlive it; dropping it ends the calls behind it.
class ChangeFollower {
 public:
  // Returns when every shard is followed.
  static Task<Result<std::unique_ptr<ChangeFollower>>> start(Cluster& cluster, TaskScope& tasks, FollowOptions options);
  ~ChangeFollower();

  // Waits for the next change. Fails when the server refuses to be followed; then it is over.
  Task<Result<Change>> next();
  // The next change if it is here already.
  std::optional<Change> try_next();
  // Up to where everything was handed out: what FollowOptions::after takes. A batch of which only some was handed out counts
  // as not seen.
  const Positions& positions() const;

 private:
  ChangeFollower(Cluster& cluster, std::shared_ptr<ChangeQueue> queue);
  Cluster& cluster_;
  std::shared_ptr<ChangeQueue> queue_;   // shared with the background task of each shard
};

}   // namespace skerry::client
