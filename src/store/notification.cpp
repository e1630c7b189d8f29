// SPDX-License-Identifier: Apache-2.0
#include "store/notification.hpp"

#include <algorithm>
#include <map>

#include "base/assert.hpp"
#include "store/entry.hpp"
#include "store/record.hpp"

namespace skerry::store {
namespace {

std::size_t bytes_of(const NotificationBatch& batch) {
  std::size_t bytes = sizeof batch;
  for (const Notification& one : batch.notifications) bytes += sizeof one + one.key.size() + one.range_end.size();
  return bytes;
}

Result<Notification> read_notification(KeyOrder order, const Effect& effect) {
  Notification notification{decode_key(order, effect.key), *effect.notification, std::nullopt, {}};
  if (effect.action == Effect::Action::put) {
    TRY(const RecordView record, decode_record(effect.value));
    notification.version_id = record.version_id;
  }
  if (effect.action == Effect::Action::erase_range) notification.range_end = decode_key(order, effect.value);
  return notification;
}

}  // namespace

Result<NotificationBatch> decode_notifications(KeyOrder order, Offset offset, BytesView encoded) {
  TRY(const Entry entry, decode_entry(encoded));
  NotificationBatch batch{offset, entry.header.stamp, {}};
  std::map<Bytes, Notification> last;
  for (const Effect& effect : entry.effects) {
    if (!effect.notification) continue;
    TRY(Notification notification, read_notification(order, effect));
    Bytes key = notification.key;
    last.insert_or_assign(std::move(key), std::move(notification));
  }
  batch.notifications.reserve(last.size());
  for (auto& [key, notification] : last) batch.notifications.push_back(std::move(notification));
  return batch;
}

void NotificationRing::push(std::shared_ptr<const NotificationBatch> batch) {
  SKERRY_ASSERT(batches_.empty() || batch->offset > batches_.back()->offset);
  bytes_ += bytes_of(*batch);
  batches_.push_back(std::move(batch));
  // The newest stays whatever its size: followers that keep up must find it.
  while (bytes_ > bytes_max_ && batches_.size() > 1) {
    bytes_ -= bytes_of(*batches_.front());
    batches_.pop_front();
  }
}

std::shared_ptr<const NotificationBatch> NotificationRing::at(Offset offset) const {
  const auto found = std::lower_bound(batches_.begin(), batches_.end(), offset,
                                      [](const auto& batch, Offset wanted) { return batch->offset < wanted; });
  return found == batches_.end() || (*found)->offset != offset ? nullptr : *found;
}

Offset NotificationRing::first() const { return batches_.empty() ? no_offset : batches_.front()->offset; }
Offset NotificationRing::last() const { return batches_.empty() ? no_offset : batches_.back()->offset; }

}  // namespace skerry::store
