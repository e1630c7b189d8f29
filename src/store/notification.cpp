// SPDX-License-Identifier: Apache-2.0
#include "store/notification.hpp"

#include <algorithm>
#include <iterator>
#include <map>

#include "base/assert.hpp"
#include "store/entry.hpp"
#include "store/record.hpp"

namespace skerry::store {
namespace {

// With what followers are sent, whether they were yet or not.
std::size_t bytes_of(const NotificationBatch& batch) {
  constexpr std::size_t encoding = 16;   // around a key
  std::size_t bytes = sizeof batch;
  for (const Notification& one : batch.notifications) {
    bytes += sizeof one + encoding + 2 * (one.key.size() + one.range_end.size());
  }
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

// An atomic batch may put records into a range that it has deleted before. Deleted ranges come first, in their order; then of
// each key what became of it last, unless a range took it after that.
Result<> read_in_order(KeyOrder order, const Entry& entry, std::vector<Notification>& into) {
  std::map<Bytes, Notification, std::less<>> last;   // by encoded key
  for (const Effect& effect : entry.effects) {
    if (!effect.notification) continue;
    TRY(Notification notification, read_notification(order, effect));
    if (notification.kind != NotificationKind::range_deleted) {
      last.insert_or_assign(Bytes(effect.key), std::move(notification));
      continue;
    }
    if (effect.key < effect.value) last.erase(last.lower_bound(effect.key), last.lower_bound(effect.value));
    into.push_back(std::move(notification));
  }
  for (auto& [key, notification] : last) into.push_back(std::move(notification));
  return {};
}

}  // namespace

Result<NotificationBatch> decode_notifications(KeyOrder order, Offset offset, BytesView encoded) {
  TRY(const Entry entry, decode_entry(encoded));
  NotificationBatch batch{offset, entry.header.stamp, {}, {}};
  if (entry.header.atomic) {
    TRYV(read_in_order(order, entry, batch.notifications));
    return batch;
  }
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

bool NotificationFilter::passes(const Notification& notification) const {
  if (passes_all() || notification.kind == NotificationKind::range_deleted) return true;
  return std::ranges::any_of(prefixes_, [&](const Bytes& prefix) { return notification.key.starts_with(prefix); });
}

std::shared_ptr<const NotificationBatch> NotificationFilter::apply(std::shared_ptr<const NotificationBatch> batch) const {
  const auto passing = [this](const Notification& one) { return passes(one); };
  if (std::ranges::all_of(batch->notifications, passing)) return batch;
  auto filtered = std::make_shared<NotificationBatch>(NotificationBatch{
      .offset = batch->offset, .stamp = batch->stamp, .notifications = {}, .missing_from = batch->missing_from});
  std::ranges::copy_if(batch->notifications, std::back_inserter(filtered->notifications), passing);
  return filtered;
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
