// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "store/key_order.hpp"

namespace skerry::store {

enum class NotificationKind : std::uint8_t { created = 0, modified = 1, deleted = 2, range_deleted = 3 };

struct Notification {
  Bytes key;                               // decoded; the start of a deleted range
  NotificationKind kind{};
  std::optional<VersionId> version_id;     // created, modified
  Bytes range_end;                         // range_deleted, exclusive
};

// What one entry changed: sorted by key, the last operation on a key wins. Of an atomic batch, deleted ranges come first.
struct NotificationBatch {
  Offset offset;
  Stamp stamp;
  std::vector<Notification> notifications;
  // The first of the entries up to `offset` that nobody can tell of any more; such a batch holds nothing else.
  std::optional<Offset> missing_from = {};
  // As protocols send it, each in a place of its own: by the first of the followers who share it, for all of them.
  enum class Protocol : std::uint8_t { oxia, store_v1 };
  mutable std::array<Bytes, 2> encoded = {};
};

// Which changes a follower wants: those of keys that start with one of the prefixes; all when there is none.
class NotificationFilter {
 public:
  explicit NotificationFilter(std::vector<Bytes> prefixes = {}) : prefixes_(std::move(prefixes)) {}
  bool passes_all() const { return prefixes_.empty(); }
  // A deleted range passes always: whether it touches keys with a prefix does not show from its ends in every key order.
  bool passes(const Notification& notification) const;
  // The batch itself when all of it passes.
  std::shared_ptr<const NotificationBatch> apply(std::shared_ptr<const NotificationBatch> batch) const;

 private:
  std::vector<Bytes> prefixes_;
};

// Reads the notifications out of a log entry, so that the log is the store of old ones.
Result<NotificationBatch> decode_notifications(KeyOrder order, Offset offset, BytesView entry);

// The newest batches of a shard, within a budget of bytes, shared by all followers. Fed by apply.
class NotificationRing {
 public:
  explicit NotificationRing(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  void push(std::shared_ptr<const NotificationBatch> batch);
  // The batch at `offset`, or nothing when it has left the ring or is still to come.
  std::shared_ptr<const NotificationBatch> at(Offset offset) const;
  Offset first() const;     // no_offset while empty
  Offset last() const;

 private:
  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::deque<std::shared_ptr<const NotificationBatch>> batches_;
};

}  // namespace skerry::store
