// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <memory>

#include "client/cluster.hpp"
#include "client/write_queue.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::client {

// Carries the writes of one shard: one stream, several batches in flight, answers in order. On an idle line a write leaves at
// once; while the line is full others gather into the next batch.
// When the stream breaks, what may safely be repeated is sent again, in its old order, before anything newer; the rest ends
// with outcome_unknown. Owned by a Client, on its core; run() is a background task that ends by cancellation.
class ShardWriter {
 public:
  ShardWriter(Cluster& cluster, TaskScope& tasks, ShardId shard);   // both outlive it

  void submit(WriteOperationPtr operation);   // settled later, with shard_moved when it must be routed again
  Task<> run();

 private:
  Task<> serve_stream(rpc::Channel& channel);
  Task<> send_batches();
  Task<> receive_answers();
  Task<> watch_leader(std::string address);
  bool can_send();
  void take_answer(pb::WriteResponse& answer);
  void recover(Verdict verdict);
  void recover_batch(WriteBatch& batch, const Verdict& verdict, std::vector<WriteOperationPtr>& again);
  void bounce_all(const Error& error);
  void end_stream(Verdict verdict);

  Cluster& cluster_;
  TaskScope& tasks_;
  ShardId shard_;
  WriteQueue queue_;
  Backoff backoff_;
  Signal changed_;

  // Of the stream that is open, if one is.
  std::unique_ptr<rpc::ClientCall> call_;
  std::deque<std::shared_ptr<WriteBatch>> in_flight_;   // shared with a write that is still under way
  bool broken_ = false;
  int helpers_ = 0;                          // coroutines that use call_
  std::optional<Verdict> verdict_;           // how the stream ended
};

}  // namespace skerry::client
