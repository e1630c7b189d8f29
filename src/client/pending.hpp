// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <utility>

#include "client/shard_reader.hpp"
#include "client/write_queue.hpp"
#include "runtime/core.hpp"
#include "runtime/event.hpp"

namespace skerry::client {

// A result that one coroutine waits for, given by whoever has it first: a shard's writer or reader, or the deadline.
template <class T>
class Answer final : public Timer {
 public:
  Answer(Core& core, Deadline deadline) : core_(core), deadline_(deadline), done_(core) { arm(); }

  void give(Result<T> result) {
    if (result_) return;
    result_.emplace(std::move(result));
    cancel();
    done_.set();
  }
  bool given() const { return result_.has_value(); }
  // Once for each answer; afterwards another may be given.
  Task<Result<T>> take() {
    co_await done_.wait();
    Result<T> result = std::move(*result_);
    result_.reset();
    done_.reset();
    arm();
    co_return result;
  }
  Deadline deadline() const { return deadline_; }

  std::function<Error()> late;   // makes the error when time is up

 private:
  void arm() {
    if (deadline_ != no_deadline) core_.timers().arm(*this, deadline_);
  }
  void on_due() override { give(fail(late())); }

  Core& core_;
  Deadline deadline_;
  Event done_;
  std::optional<Result<T>> result_;
};

class PendingWrite final : public WriteOperation {
 public:
  PendingWrite(Core& core, Cluster& cluster, Request operation_request, Deadline deadline);
  void settle(Result<WriteReply> result) override { answer.give(std::move(result)); }
  bool settled() const override { return answer.given() || abandoned; }

  bool abandoned = false;        // nobody waits any more: not sent unless it already was
  Answer<WriteReply> answer;
};

class PendingRead final : public ReadOperation {
 public:
  PendingRead(Core& core, Cluster& cluster, pb::GetRequest operation_request, Deadline deadline);
  void settle(Result<pb::GetResponse> result) override { answer.give(std::move(result)); }
  bool settled() const override { return answer.given() || abandoned; }
  Deadline deadline() const override { return answer.deadline(); }

  bool abandoned = false;
  Answer<pb::GetResponse> answer;
};

// In the frame of the coroutine that waits: when that is cancelled, the operation is not wanted any more.
template <class Operation>
class Wanted {
 public:
  explicit Wanted(std::shared_ptr<Operation> operation) : operation_(std::move(operation)) {}
  Wanted(const Wanted&) = delete;
  Wanted& operator=(const Wanted&) = delete;
  ~Wanted() { operation_->abandoned = true; }

 private:
  std::shared_ptr<Operation> operation_;
};

}  // namespace skerry::client
