// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <span>
#include <vector>

#include "oxia/client.pb.h"
#include "store/notification.hpp"
#include "store/operations.hpp"

// Between Oxia's messages and the store's own words. Conversion checks nothing: the state machine does.
namespace skerry::serve {

namespace proto = io::oxia::proto::v1;

// Oxia's, or ours, which has the same fields and more. Its indexes go behind the others in `indexes`, which has room for them.
template <class PutMessage>
store::Put put_of(const PutMessage& message, std::vector<store::SecondaryIndex>& indexes) {
  store::Put put;
  put.key = message.key();
  put.value = message.value();
  if (message.has_expected_version_id()) put.expected_version = VersionId(message.expected_version_id());
  if (message.has_session_id()) put.session = SessionId(message.session_id());
  if (message.has_client_identity()) put.client_identity = message.client_identity();
  if (message.has_partition_key()) put.partition_key = message.partition_key();
  const auto& deltas = message.sequence_key_delta();
  put.sequence_deltas = {deltas.data(), static_cast<std::size_t>(deltas.size())};
  const std::size_t first_index = indexes.size();
  for (const auto& index : message.secondary_indexes()) indexes.push_back({index.index_name(), index.secondary_key()});
  put.indexes = std::span(indexes).subspan(first_index);
  if (message.has_override_version_id()) put.override_version = VersionId(message.override_version_id());
  if (message.has_override_modifications_count()) put.override_modifications = message.override_modifications_count();
  return put;
}

// A write as the store reads it, borrowing from the message. Reused from message to message to keep its memory.
class WriteView {
 public:
  // Valid until the next call, while the message lives.
  store::WriteRequest of(const proto::WriteRequest& message);

 private:
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
