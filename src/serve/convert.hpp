// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "oxia/client.pb.h"
#include "store/notification.hpp"
#include "store/operations.hpp"

// Between Oxia's messages and the store's own words. Conversion checks nothing: the state machine does.
namespace skerry::serve {

namespace proto = io::oxia::proto::v1;

// A write as the store reads it, borrowing from the message. Reused from message to message to keep its memory.
class WriteView {
 public:
  // Valid until the next call, while the message lives.
  store::WriteRequest of(const proto::WriteRequest& message);

 private:
  store::Put put(const proto::PutRequest& message);

  std::vector<store::Put> puts_;
  std::vector<store::Delete> deletes_;
  std::vector<store::DeleteRange> delete_ranges_;
  std::vector<store::SecondaryIndex> indexes_;   // of all puts, one after the other
};

void fill(proto::WriteResponse& message, store::WriteOutcome outcome);

store::Get get_view(const proto::GetRequest& message);   // borrows from the message
void fill(proto::GetResponse& message, store::GetOutcome outcome, bool include_value);

// Both requests have the same fields.
template <class RangeRequest>
store::Range range_of(const RangeRequest& message) {
  store::Range range{message.start_inclusive(), message.end_exclusive(), {}, message.include_internal_keys()};
  if (message.has_secondary_index_name()) range.index = message.secondary_index_name();
  return range;
}

void fill(proto::NotificationBatch& message, ShardId shard, const store::NotificationBatch& batch);

}  // namespace skerry::serve
