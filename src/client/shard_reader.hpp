// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <memory>
#include <vector>

#include "client/cluster.hpp"
#include "oxia/client.pb.h"
#include "runtime/task_scope.hpp"

namespace skerry::client {

namespace pb = io::oxia::proto::v1;

// One get on its way to a shard. Held by its caller and by the queue or batch that it is in.
class ReadOperation {
 public:
  explicit ReadOperation(pb::GetRequest operation_request) : request(std::move(operation_request)) {}
  virtual ~ReadOperation() = default;
  virtual void settle(Result<pb::GetResponse> result) = 0;
  virtual bool settled() const = 0;
  virtual Deadline deadline() const = 0;

  const pb::GetRequest request;
};
using ReadOperationPtr = std::shared_ptr<ReadOperation>;

// Carries the gets of one shard: several calls in flight, each with all that had gathered when it left. Reading twice does no
// harm, so everything is tried again until its deadline. Owned by a Client, on its core; run() is a background task.
class ShardReader {
 public:
  ShardReader(Cluster& cluster, TaskScope& tasks, ShardId shard);   // both outlive it

  void submit(ReadOperationPtr operation);   // settled later, with shard_moved when it must be routed again
  Task<> run();

 private:
  using Batch = std::vector<ReadOperationPtr>;
  Task<> read_batch(Batch batch);
  // Settles from the front of the batch as answers come; says how the call ended.
  Task<Verdict> attempt(rpc::Channel& channel, Batch& batch, std::size_t& answered);
  Batch take();

  Cluster& cluster_;
  TaskScope& tasks_;
  ShardId shard_;
  std::deque<ReadOperationPtr> queue_;
  std::size_t in_flight_ = 0;
  Signal changed_;
};

}  // namespace skerry::client
