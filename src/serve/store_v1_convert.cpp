// SPDX-License-Identifier: Apache-2.0
#include "serve/store_v1_convert.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "serve/convert.hpp"
#include "store/page_token.hpp"

namespace skerry::serve {
namespace {

namespace oxia = io::oxia::proto::v1;

oxia::Status v1_status_of(store::Status status) { return static_cast<oxia::Status>(status); }

void fill_version(v1::Version& message, store::Version version) {
  message.set_version_id(version.version_id.value());
  message.set_modifications_count(version.modifications);
  message.set_created_timestamp(version.created_millis);
  message.set_modified_timestamp(version.modified_millis);
  if (version.session) message.set_session_id(version.session->value());
  if (version.client_identity) message.set_client_identity(*std::move(version.client_identity));
  if (version.expires_millis) message.set_expires_timestamp(*version.expires_millis);
}

void fill_put(v1::PutResponse& message, store::PutOutcome put) {
  message.set_status(v1_status_of(put.status));
  if (put.status != store::Status::ok) return;
  fill_version(*message.mutable_version(), std::move(put.version));
  if (put.key) message.set_key(*std::move(put.key));
}

// What no clock can count is refused as too long, like all that is.
std::chrono::milliseconds time_to_live(std::uint64_t millis) {
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::min(millis, most)));
}

BytesView key_at(const v1::BatchRequest& request, const store::Rejection& rejection) {
  const int at = static_cast<int>(rejection.position);
  if (rejection.part == store::Rejection::Part::guard) return request.guards(at).key();
  const v1::Operation& operation = request.operations(at);
  return operation.has_put() ? operation.put().key() : operation.delete_().key();
}

template <class Request>
Result<store::Range> walk_from(const Request& message) {
  store::Range walk{message.start_inclusive(), message.end_exclusive(), {}, message.include_internal_keys(), message.reverse()};
  if (message.has_secondary_index_name()) walk.index = message.secondary_index_name();
  if (!message.page_token().empty()) {
    TRY(store::PagePosition position, store::decode_page_token(walk, message.page_token()));
    walk.resume = store::resume_at(ShardId(message.shard()), std::move(position));
  }
  return walk;
}

}  // namespace

void StoreV1View::clear() {
  puts_.clear();
  deletes_.clear();
  delete_ranges_.clear();
  indexes_.clear();
  guards_.clear();
  steps_.clear();
}

store::WriteRequest StoreV1View::of(const v1::WriteRequest& message) {
  clear();
  std::size_t indexes = 0;
  for (const auto& each : message.puts()) indexes += static_cast<std::size_t>(each.secondary_indexes_size());
  indexes_.reserve(indexes);   // the puts refer into it
  for (const auto& each : message.puts()) add(each);
  for (const auto& each : message.deletes()) add(each);
  for (const auto& each : message.delete_ranges()) add(each);
  return {puts_, deletes_, delete_ranges_};
}

Result<store::WriteRequest> StoreV1View::of(const v1::BatchRequest& message) {
  clear();
  std::size_t indexes = 0;
  for (const auto& each : message.operations()) indexes += static_cast<std::size_t>(each.put().secondary_indexes_size());
  indexes_.reserve(indexes);
  for (const v1::Operation& each : message.operations()) {
    if (each.has_put()) {
      add(each.put());
      steps_.push_back(store::Step::put);
    } else if (each.has_delete_()) {
      add(each.delete_());
      steps_.push_back(store::Step::erase);
    } else if (each.has_delete_range()) {
      add(each.delete_range());
      steps_.push_back(store::Step::erase_range);
    } else {
      return fail(Errc::invalid_argument, fmt::format("operation {} is neither put, delete nor delete_range", steps_.size()));
    }
  }
  for (const v1::Guard& each : message.guards()) {
    store::Guard& guard = guards_.emplace_back(store::Guard{each.key(), {}, {}});
    switch (each.condition_case()) {
      case v1::Guard::kExists: guard.kind = each.exists() ? store::Guard::Kind::exists : store::Guard::Kind::absent; break;
      case v1::Guard::kVersionId:
        guard.kind = store::Guard::Kind::version;
        guard.version = VersionId(each.version_id());
        break;
      case v1::Guard::CONDITION_NOT_SET:
        return fail(Errc::invalid_argument,
                    fmt::format("guard {} asks for nothing: set exists or version_id", guards_.size() - 1));
    }
  }
  return store::WriteRequest{puts_, deletes_, delete_ranges_, true, guards_, steps_};
}

void StoreV1View::add(const v1::Put& message) {
  store::Put& put = puts_.emplace_back(put_of(message, indexes_));
  if (message.has_time_to_live_ms()) put.time_to_live = time_to_live(message.time_to_live_ms());
  put.keep_expiry = message.keep_expiry();
}

void StoreV1View::add(const oxia::DeleteRequest& message) {
  store::Delete& one = deletes_.emplace_back(store::Delete{message.key(), {}});
  if (message.has_expected_version_id()) one.expected_version = VersionId(message.expected_version_id());
}

void StoreV1View::add(const oxia::DeleteRangeRequest& message) {
  delete_ranges_.push_back({message.start_inclusive(), message.end_exclusive()});
}

void fill(v1::WriteResponse& message, store::WriteOutcome outcome) {
  for (auto& put : outcome.puts) fill_put(*message.add_puts(), std::move(put));
  for (const auto status : outcome.deletes) message.add_deletes()->set_status(v1_status_of(status));
  for (const auto status : outcome.delete_ranges) message.add_delete_ranges()->set_status(v1_status_of(status));
}

void fill(v1::BatchResponse& message, const v1::BatchRequest& request, store::WriteOutcome outcome) {
  if (outcome.rejection) {
    v1::Rejection& rejection = *message.mutable_rejection();
    const bool guard = outcome.rejection->part == store::Rejection::Part::guard;
    guard ? rejection.set_guard(outcome.rejection->position) : rejection.set_operation(outcome.rejection->position);
    rejection.set_status(v1_status_of(outcome.rejection->status));
    if (outcome.rejection->found) rejection.set_found_version_id(outcome.rejection->found->value());
    const BytesView key = key_at(request, *outcome.rejection);
    rejection.set_key(key.data(), key.size());
    return;
  }
  std::size_t puts = 0, deletes = 0, ranges = 0;
  for (const v1::Operation& operation : request.operations()) {
    v1::OperationResult& result = *message.add_results();
    if (operation.has_put()) {
      fill_put(*result.mutable_put(), std::move(outcome.puts.at(puts++)));
    } else if (operation.has_delete_()) {
      result.mutable_delete_()->set_status(v1_status_of(outcome.deletes.at(deletes++)));
    } else {
      result.mutable_delete_range()->set_status(v1_status_of(outcome.delete_ranges.at(ranges++)));
    }
  }
}

void fill(v1::GetResponse& message, store::GetOutcome outcome, bool include_value) {
  message.set_status(v1_status_of(outcome.status));
  if (outcome.status != store::Status::ok) return;
  fill_version(*message.mutable_version(), std::move(outcome.version));
  if (include_value) message.set_value(std::move(outcome.value));
  if (outcome.key) message.set_key(*std::move(outcome.key));
  if (outcome.secondary_key) message.set_secondary_index_key(*std::move(outcome.secondary_key));
}

void fill(v1::NotificationBatch& message, ShardId shard, const store::NotificationBatch& batch) {
  message.set_shard(shard.value());
  message.set_offset(batch.offset.value());
  message.set_timestamp(batch.stamp.millis());
  if (batch.missing_from) message.mutable_gap()->set_first_offset(batch.missing_from->value());
  for (const auto& each : batch.notifications) {
    auto& entry = *message.add_notifications();
    entry.set_key(each.key);
    auto& value = *entry.mutable_value();
    value.set_type(static_cast<oxia::NotificationType>(each.kind));
    if (each.version_id) value.set_version_id(each.version_id->value());
    if (each.kind == store::NotificationKind::range_deleted) value.set_key_range_last(each.range_end);
  }
}

Result<store::Range> walk_of(const v1::ListRequest& message) { return walk_from(message); }
Result<store::Range> walk_of(const v1::RangeScanRequest& message) { return walk_from(message); }

}  // namespace skerry::serve
