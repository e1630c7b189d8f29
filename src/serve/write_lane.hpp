// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <vector>

#include "oxia/client.pb.h"
#include "replica/shard.hpp"
#include "serve/convert.hpp"

namespace skerry::serve {

// The shard's half of one WriteStream: takes its requests in order and gives its answers in order, many at a time. Belongs to
// the shard's core. The sender keeps count: no more than limits::stream_writes_in_flight_max may be unanswered.
class WriteLane {
 public:
  explicit WriteLane(replica::Shard& shard) : shard_(shard) {}

  // Proposed at once, or kept as a copy until the shard has room.
  void push(const proto::WriteRequest& request);

  // What came of the oldest requests. An error ends the stream: what was pushed after it is not answered.
  struct Answers {
    std::vector<proto::WriteResponse> replies;
    std::optional<Error> end;
  };
  // Waits for at least one. Requires: a request is unanswered. One caller at a time.
  Task<Answers> next_answers();

 private:
  void propose(const proto::WriteRequest& request);
  void propose_waiting();

  replica::Shard& shard_;
  WriteView view_;
  std::deque<proto::WriteRequest> waiting_;   // for room in the shard
  std::deque<replica::Ticket> proposed_;
};

}  // namespace skerry::serve
