// SPDX-License-Identifier: Apache-2.0
#include "serve/convert.hpp"

namespace skerry::serve {
namespace {

proto::Status status_of(store::Status status) { return static_cast<proto::Status>(status); }

void fill_version(proto::Version& message, store::Version version) {
  message.set_version_id(version.version_id.value());
  message.set_modifications_count(version.modifications);
  message.set_created_timestamp(version.created_millis);
  message.set_modified_timestamp(version.modified_millis);
  if (version.session) message.set_session_id(version.session->value());
  if (version.client_identity) message.set_client_identity(*std::move(version.client_identity));
}

}  // namespace

store::WriteRequest WriteView::of(const proto::WriteRequest& message) {
  puts_.clear();
  deletes_.clear();
  delete_ranges_.clear();
  indexes_.clear();
  std::size_t indexes = 0;
  for (const auto& each : message.puts()) indexes += static_cast<std::size_t>(each.secondary_indexes_size());
  indexes_.reserve(indexes);   // the puts refer into it
  for (const auto& each : message.puts()) puts_.push_back(put_of(each, indexes_));
  for (const auto& each : message.deletes()) {
    auto& added = deletes_.emplace_back(store::Delete{each.key(), {}});
    if (each.has_expected_version_id()) added.expected_version = VersionId(each.expected_version_id());
  }
  for (const auto& each : message.delete_ranges()) delete_ranges_.push_back({each.start_inclusive(), each.end_exclusive()});
  return {puts_, deletes_, delete_ranges_};
}

void fill(proto::WriteResponse& message, store::WriteOutcome outcome) {
  for (auto& put : outcome.puts) {
    auto& answer = *message.add_puts();
    answer.set_status(status_of(put.status));
    if (put.status != store::Status::ok) continue;
    fill_version(*answer.mutable_version(), std::move(put.version));
    if (put.key) answer.set_key(*std::move(put.key));
  }
  for (const auto status : outcome.deletes) message.add_deletes()->set_status(status_of(status));
  for (const auto status : outcome.delete_ranges) message.add_delete_ranges()->set_status(status_of(status));
}

store::Get get_view(const proto::GetRequest& message) {
  store::Get get{message.key(), static_cast<store::Comparison>(message.comparison_type()), message.include_value(), {}};
  if (message.has_secondary_index_name()) get.index = message.secondary_index_name();
  return get;
}

void fill(proto::GetResponse& message, store::GetOutcome outcome, bool include_value) {
  message.set_status(status_of(outcome.status));
  if (outcome.status != store::Status::ok) return;
  fill_version(*message.mutable_version(), std::move(outcome.version));
  if (include_value) message.set_value(std::move(outcome.value));
  if (outcome.key) message.set_key(*std::move(outcome.key));
  if (outcome.secondary_key) message.set_secondary_index_key(*std::move(outcome.secondary_key));
}

void fill(proto::NotificationBatch& message, ShardId shard, const store::NotificationBatch& batch) {
  message.set_shard(shard.value());
  message.set_offset(batch.offset.value());
  message.set_timestamp(batch.stamp.millis());
  for (const auto& each : batch.notifications) {
    auto& entry = *message.add_notifications();
    entry.set_key(each.key);
    auto& value = *entry.mutable_value();
    value.set_type(static_cast<proto::NotificationType>(each.kind));
    if (each.version_id) value.set_version_id(each.version_id->value());
    if (each.kind == store::NotificationKind::range_deleted) value.set_key_range_last(each.range_end);
  }
}

}  // namespace skerry::serve
