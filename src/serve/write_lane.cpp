// SPDX-License-Identifier: Apache-2.0
#include "serve/write_lane.hpp"

#include "base/assert.hpp"
#include "serve/oxia_error.hpp"

namespace skerry::serve {
namespace {

// Of a stream that is traced, a write now and then: it may carry hundreds of thousands a second.
constexpr Duration between_traced_writes = 10ms;

}  // namespace

template <class Writes>
bool WriteLane<Writes>::hold() {
  if (!held_ && !gone_) {
    gone_ = uses_->closed();
    held_ = !gone_;
    if (held_) uses_->enter();
  }
  return held_;
}

template <class Writes>
void WriteLane<Writes>::rest() {
  if (std::exchange(held_, false)) uses_->leave();
}

template <class Writes>
void WriteLane<Writes>::push(const typename Writes::Request& request) {
  if (!hold()) return;
  propose_waiting();
  if (waiting_.empty() && shard_.has_room()) return propose(request);
  waiting_.push_back(request);
}

template <class Writes>
void WriteLane<Writes>::propose(const typename Writes::Request& request) {
  const TimePoint now = traced_by_ != nullptr ? traced_by_->now() : TimePoint::min();
  replica::Ticket& ticket = proposed_.emplace_back(shard_.propose(view_.of(request), Writes::id(request)));
  if (traced_by_ == nullptr || now < trace_next_) return;
  ticket.trace(now, *traced_by_);
  trace_next_ = now + between_traced_writes;
}

template <class Writes>
void WriteLane<Writes>::propose_waiting() {
  for (; !waiting_.empty() && shard_.has_room(); waiting_.pop_front()) propose(waiting_.front());
}

template <class Writes>
Task<typename WriteLane<Writes>::Answers> WriteLane<Writes>::next_answers() {
  if (gone_ && !held_) co_return Answers{{}, {}, Error{OxiaError::shard_not_found, "the shard was deleted"}};
  SKERRY_ASSERT(!proposed_.empty() || !waiting_.empty());
  while (proposed_.empty()) {
    co_await shard_.wait_for_room();
    if (shard_.has_room()) {
      propose_waiting();
    } else {   // stopping: it refuses, and says why
      propose(waiting_.front());
      waiting_.pop_front();
    }
  }
  if (!proposed_.front().ready()) co_await proposed_.front().wait();
  propose_waiting();
  Answers answers;
  while (!proposed_.empty() && proposed_.front().ready()) {
    if (const WriteStages* stages = proposed_.front().stages()) [[unlikely]]
      answers.stages.push_back(*stages);
    auto outcome = proposed_.front().take();
    proposed_.pop_front();
    if (!outcome) {
      answers.end = std::move(outcome).error();
      break;
    }
    Writes::append(answers.replies, *std::move(outcome));
    answers.ends.push_back(answers.replies.size());
  }
  if (proposed_.empty() && waiting_.empty()) rest();
  co_return answers;
}

template class WriteLane<OxiaWrites>;
template class WriteLane<StoreV1Writes>;

}  // namespace skerry::serve
