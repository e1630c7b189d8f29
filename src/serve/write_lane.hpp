// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <memory>
#include <vector>

#include "replica/shard.hpp"
#include "runtime/tracing.hpp"
#include "serve/write_protocols.hpp"

namespace skerry::serve {

// The shard's half of one WriteStream: takes its requests in order and gives its answers in order, many at a time. Belongs to
// the shard's core. The sender keeps count: no more than limits::stream_writes_in_flight_max may be unanswered.
template <class Writes>
class WriteLane {
 public:
  // `traced_by` is the clock that times some of the writes of a stream that is traced; null: none.
  WriteLane(const replica::ShardUse& shard, const Clock* traced_by)
      : shard_(*shard), uses_(shard.uses()), traced_by_(traced_by) {}
  WriteLane(const WriteLane&) = delete;
  WriteLane& operator=(const WriteLane&) = delete;
  ~WriteLane() { rest(); }

  // Proposed at once, or kept as a copy until the shard has room.
  void push(const typename Writes::Request& request);

  // What came of the oldest requests. An error ends the stream: what was pushed after it is not answered.
  struct Answers {
    Bytes replies;                   // encoded WriteResponses, one behind the other
    std::vector<std::size_t> ends;   // of each
    std::optional<Error> end;
    std::vector<WriteStages> stages = {};   // of those that were traced
  };
  // Waits for at least one. Requires: a request is unanswered. One caller at a time.
  Task<Answers> next_answers();

 private:
  void propose(const typename Writes::Request& request);
  void propose_waiting();

  bool hold();
  void rest();

  replica::Shard& shard_;   // touched only while held: an idle stream doesn't keep a shard from being deleted
  std::shared_ptr<replica::ShardUses> uses_;
  const Clock* traced_by_;
  TimePoint trace_next_ = TimePoint::min();
  bool held_ = false, gone_ = false;
  typename Writes::View view_;
  std::deque<typename Writes::Request> waiting_;   // for room in the shard
  std::deque<replica::Ticket> proposed_;
};

}  // namespace skerry::serve
