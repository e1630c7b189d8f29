// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "disk/log.hpp"
#include "replica/engine_room.hpp"
#include "replica/reshape_plan.hpp"
#include "replica/shard_group.hpp"
#include "runtime/task_scope.hpp"
#include "runtime/wait_list.hpp"
#include "store/entry_split.hpp"
#include "store/state_fork.hpp"
#include "store/state_machine.hpp"

namespace skerry::replica {

// Makes the replicas of children out of those of their parents, on one node, by a copy of its own; no data comes from elsewhere.
// One core's; over the node's log and its group of shards, which outlive it. The children are not open meanwhile.
//
// A split copies the parent's state while it serves, and from then on lets the children follow its log: what of it belongs to a
// child is logged and applied there under the same offset and term. So what is left when the parent is fenced is short. The
// newest part of the parent's log before the copy goes into the children's logs as well, for those who follow changes. A merge
// copies both parents while they serve, then again what their logs say that was touched since; when they are fenced and that is
// done, it is one installation of a snapshot. Where ranges of keys are deleted meanwhile it copies once they are fenced.
//
// A crash leaves nothing of a child, or a replica that has a beginning of what it should, which may be opened as any that is
// behind; the term of the plan is recorded last. Work goes on when its caller has gone: who asks again waits for it.
class Reshaper {
 public:
  struct Parts {
    Core& core;
    disk::Log& log;
    ShardGroup& group;
    // Whether somebody opens or deletes the replica now: then nothing is made of it. Null: nobody does.
    std::function<bool(ShardId)> is_taken = nullptr;
  };
  explicit Reshaper(Parts parts);
  ~Reshaper();

  // Copies beforehand, as far as the parents have come. Fails with ReshapeError::behind where a parent is not
  // here, foreign_records, sessions_collide; or as log and engine do.
  Task<Result<>> prepare(ReshapePlan plan);
  // Returns when the children are durable, or were made before; then whoever asks opens them. Fails as prepare() does, and with
  // outdated.
  Task<Result<>> make(ReshapePlan plan);
  // Ends what makes this child, or others of this parent, and returns when it has; what is there of it is the caller's to delete.
  Task<> abandon(ShardId shard);
  Task<> stop();

 private:
  struct Copy;
  struct Union;
  struct Job;
  class Running;
  enum class Last { no, yes };

  Result<std::shared_ptr<Job>> job_of(const ReshapePlan& plan);
  void forget(const Job& job);
  bool made(const ReshapePlan& plan) const;
  Result<> check_free(const ReshapePlan& plan) const;
  void start(std::shared_ptr<Job> job, ReshapePlan plan, Last last);
  Task<> run(std::shared_ptr<Job> job, std::unique_ptr<Running> running, ReshapePlan plan, Last last);
  Task<Result<>> done(std::shared_ptr<Job> job, ReshapePlan plan, Last last);
  Task<Result<>> work(std::shared_ptr<Job> job, ReshapePlan plan, Last last);
  Task<Result<>> prepare_merge(std::shared_ptr<Job> job, ReshapePlan plan);
  Task<Result<>> merge(std::shared_ptr<Job> job, ReshapePlan plan);
  Task<Result<>> copy_both(std::shared_ptr<Job> job, ReshapePlan plan);
  Task<Result<>> follow_both(std::shared_ptr<Job> job, std::vector<Offset> up_to);
  Task<Result<>> finish_both(ReshapePlan plan);
  std::vector<Offset> applied_by(const ReshapePlan& plan) const;
  Task<Result<>> copy(std::shared_ptr<Job> job, ReshapePlan plan);
  Task<Result<>> follow(std::shared_ptr<Job> job, Offset up_to);
  Task<Result<>> copy_log(std::shared_ptr<Job> job, Offset first, Offset last);
  Result<> take_entry(Copy& copy, const disk::LogEntry& entry);
  Task<Result<>> finish(ReshapePlan plan);
  Task<Result<>> begin_anew(ReshapePlan plan);
  store::StateFork::Parts fork_of(const ReshapePlan& plan);
  Task<Result<>> fork(ReshapePlan plan, std::vector<Offset>* copied);
  Result<Shard*> parent_of(const ReshapePlan::Parent& parent) const;
  Offset oldest_copied(ShardId parent, Offset copied) const;
  Term term_at(ShardId parent, Offset offset) const;
  Task<> wait_for_room(std::size_t bytes);

  Parts parts_;
  EngineRoom room_;
  std::map<ShardId, std::shared_ptr<Job>> jobs_;   // by each of the children
  TaskScope tasks_;
};

}   // namespace skerry::replica
