// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "base/result.hpp"
#include "runtime/task.hpp"
#include "store/notification.hpp"

namespace skerry::replica {

// What a follower is to be told.
struct NotificationWishes {
  store::NotificationFilter filter = store::NotificationFilter();
  // Of entries that it asks for and the log keeps no more: a batch that says so; else it goes on with the oldest kept.
  bool gaps = false;
};

// One client's walk along a shard's changes. It pulls, so a slow one holds up nobody: what has left the memory is read from the
// log, and what has left the log is skipped. Owned by the client's stream; not to be used when the shard is gone.
class NotificationFollower {
 public:
  virtual ~NotificationFollower() = default;
  // The next batch that is not empty (but for the very first, see Shard::follow). Waits for it; fails with not_serving when the
  // shard stops. With a filter, now and then an empty one tells how far nothing passed it.
  virtual Task<Result<std::shared_ptr<const store::NotificationBatch>>> next() = 0;
};

}   // namespace skerry::replica
