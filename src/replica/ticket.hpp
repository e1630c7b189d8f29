// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "runtime/clock.hpp"
#include "runtime/tracing.hpp"
#include "runtime/wait_list.hpp"
#include "store/operations.hpp"

namespace skerry::replica {

// What a shard keeps of one proposal until it is answered.
struct PendingAnswer {
  explicit PendingAnswer(Core& core) : waiters(core) {}
  WaitList waiters;
  std::optional<Result<store::WriteOutcome>> answer;
  Offset offset = no_offset;   // of its entry, once evaluated; no_offset when it changed nothing
  std::unique_ptr<WriteStages> stages;   // null unless the write is traced
};

// The claim to the outcome of one proposal. Proposals of a shard are answered in the order they were made, so whoever waits
// for the oldest ticket finds the following ones mostly ready. Dropping a ticket takes nothing back. One core's.
class Ticket {
 public:
  Ticket() = default;
  explicit Ticket(std::shared_ptr<PendingAnswer> pending) : pending_(std::move(pending)) {}

  bool ready() const { return pending_->answer.has_value(); }
  // Returns once ready. One waiter.
  Task<> wait() {
    while (!ready()) co_await pending_->waiters.wait();
  }
  // Requires: ready(). Once.
  Result<store::WriteOutcome> take() { return *std::move(pending_->answer); }
  // Where the entry stands in the shard's log; no_offset when the request changed nothing. Known once ready.
  Offset offset() const { return pending_->offset; }

  // Has the times of its stages noted from now on: right after it was proposed, at `proposed`.
  void trace(TimePoint proposed, const Clock& clock) {
    pending_->stages = std::make_unique<WriteStages>();
    pending_->stages->proposed = proposed;
    if (pending_->offset != no_offset || ready()) pending_->stages->logged = clock.now();
  }
  const WriteStages* stages() const { return pending_->stages.get(); }   // null unless trace() was called

 private:
  std::shared_ptr<PendingAnswer> pending_;
};

}  // namespace skerry::replica
