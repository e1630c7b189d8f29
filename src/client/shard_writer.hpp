// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <memory>
#include <optional>

#include "client/cluster.hpp"
#include "client/silence_watch.hpp"
#include "client/write_queue.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::client {

// Finds those who carry the writes of shards that others were split or merged into.
class BatchRouter {
 public:
  enum class Handed { yes, not_yet, to_several };
  virtual ~BatchRouter() = default;
  // Gives the batch, under the id that it has, to the writer of the shard where all its operations belong now. Not yet: nobody is
  // known to have them.
  virtual Handed hand_on(const std::shared_ptr<WriteBatch>& batch) = 0;
};

// Carries the writes of one shard: one stream, several batches in flight, answers in order. On an idle line a write leaves at
// once; while the line is full others gather into the next batch.
// When the stream breaks, what may safely be repeated is sent again, in its old order, before anything newer; the rest ends
// with outcome_unknown. Batches carry request ids where the server knows them: then all may be repeated, in the same words; also
// by the shard that this one was split or merged into, which remembers the ids, where the whole batch belongs to one. Owned by a
// Client, on its core; run() is a background task that ends by cancellation.
class ShardWriter {
 public:
  ShardWriter(Cluster& cluster, TaskScope& tasks, BatchRouter& router, ShardId shard);   // all outlive it

  void submit(WriteOperationPtr operation);   // settled later, with shard_moved when it must be routed again
  void adopt(std::shared_ptr<WriteBatch> batch);   // of a shard that this one follows upon; sent before anything new
  Task<> run();

 private:
  Task<> serve_stream(rpc::Channel& channel);
  Task<> send_batches();
  Task<> receive_answers();
  Task<> watch_leader(std::string address);
  bool can_send();
  std::shared_ptr<WriteBatch> next_batch();
  void refuse_unsupported();
  bool fall_back(const Verdict& verdict);
  bool keeps(const WriteBatch& batch, const Verdict& verdict) const;
  void take_answer(v1::WriteResponse& answer);
  void recover(Verdict verdict);
  void recover_batch(WriteBatch& batch, const Verdict& verdict, std::vector<WriteOperationPtr>& again);
  void bounce_all(const Error& error);
  void bounce_queue(const Error& error);
  void move_on();
  void scatter(WriteBatch& batch);
  void end_stream(Verdict verdict);

  Cluster& cluster_;
  TaskScope& tasks_;
  BatchRouter& router_;
  ShardId shard_;
  WriteQueue queue_;
  std::deque<std::shared_ptr<WriteBatch>> again_;   // with ids, to be sent once more before anything else
  std::uint64_t next_sequence_ = 0;   // of request ids
  Backoff backoff_;
  Signal changed_;

  // Of the stream that is open, if one is.
  std::unique_ptr<rpc::ClientCall> call_;
  std::string address_;
  std::optional<SilenceWatch> silence_;
  bool uses_v1_ = false;
  std::deque<std::shared_ptr<WriteBatch>> in_flight_;   // shared with a write that is still under way
  bool broken_ = false;
  int helpers_ = 0;   // coroutines that use call_
  std::optional<Verdict> verdict_;   // how the stream ended
};

}   // namespace skerry::client
