// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "base/result.hpp"
#include "runtime/task.hpp"
#include "store/notification.hpp"

namespace skerry::replica {

// One client's walk along a shard's changes. It pulls, so a slow one holds up nobody: what has left the memory is read from the
// log, and what has left the log is skipped. Owned by the client's stream; not to be used when the shard is gone.
class NotificationFollower {
 public:
  virtual ~NotificationFollower() = default;
  // The next batch that is not empty (but for the very first, see Shard::follow). Waits for it; fails with not_serving when the
  // shard stops.
  virtual Task<Result<std::shared_ptr<const store::NotificationBatch>>> next() = 0;
};

}   // namespace skerry::replica
