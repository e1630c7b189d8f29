// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "base/result.hpp"
#include "skerry/store/v1/store.pb.h"
#include "store/notification.hpp"
#include "store/operations.hpp"
#include "store/state_machine.hpp"

// Between the messages of skerry.store.v1 and the store's own words.
namespace skerry::serve {

namespace v1 = skerry::store::v1;

// A write or an atomic batch as the store reads it, borrowing from the message. Reused from message to message to keep its
// memory.
class StoreV1View {
 public:
  // Valid until the next call, while the message lives.
  store::WriteRequest of(const v1::WriteRequest& message);
  // Fails with invalid_argument when an operation or a guard says nothing.
  Result<store::WriteRequest> of(const v1::BatchRequest& message);

 private:
  void clear();
  void add(const v1::Put& message);
  void add(const io::oxia::proto::v1::DeleteRequest& message);
  void add(const io::oxia::proto::v1::DeleteRangeRequest& message);

  std::vector<store::Put> puts_;
  std::vector<store::Delete> deletes_;
  std::vector<store::DeleteRange> delete_ranges_;
  std::vector<store::SecondaryIndex> indexes_;   // of all puts, one after the other
  std::vector<store::Guard> guards_;
  std::vector<store::Step> steps_;
};

// Nothing where the request has no id.
template <class Request>
std::optional<store::RequestId> request_id_of(const Request& message) {
  if (!message.has_request_id()) return std::nullopt;
  return store::RequestId{message.request_id().client(), message.request_id().sequence()};
}

void fill(v1::WriteResponse& message, store::WriteOutcome outcome);
void fill(v1::BatchResponse& message, const v1::BatchRequest& request, store::WriteOutcome outcome);
void fill(v1::GetResponse& message, store::GetOutcome outcome, bool include_value);
void fill(v1::NotificationBatch& message, ShardId shard, const store::NotificationBatch& batch);

// Both requests have the same fields. Fails with invalid_argument when the page token is none, or of another walk.
Result<store::Range> walk_of(const v1::ListRequest& message);
Result<store::Range> walk_of(const v1::RangeScanRequest& message);

}   // namespace skerry::serve
