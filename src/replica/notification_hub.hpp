// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <optional>

#include "disk/log.hpp"
#include "replica/notification_follower.hpp"
#include "runtime/wait_list.hpp"

namespace skerry::replica {

// A shard's changes for all who follow them: the newest from memory while somebody follows, older ones from the log. Writers
// only push and wake; reading is the followers' own work. Owned by its shard.
class NotificationHub {
 public:
  struct Parts {
    Core& core;
    disk::Log& log;
    ShardId shard;
    store::KeyOrder order;
    std::size_t ring_bytes;
  };
  explicit NotificationHub(Parts parts);
  NotificationHub(const NotificationHub&) = delete;
  NotificationHub& operator=(const NotificationHub&) = delete;
  ~NotificationHub() { *self_ = nullptr; }

  // Entries in order, as they are applied.
  void applied(Offset offset, BytesView entry);
  // The state has become that after this entry; what was before can't be followed from here. Ends followers.
  void replaced(Offset offset);
  void wake() { news_.wake_all(); }
  // Ends every follower with not_serving, those of now or, after stop(), also those to come.
  void end_followers();
  void stop();

  // Fails with resource_exhausted when too many follow already.
  Result<std::unique_ptr<NotificationFollower>> follow(std::optional<Offset> start_exclusive, NotificationWishes wishes);
  std::size_t followers() const { return followers_; }
  std::uint64_t batches_read() const { return batches_read_; }
  std::uint64_t notifications_read() const { return notifications_read_; }

 private:
  class Follower;

  Parts parts_;
  // Null once this is gone: a follower may be destroyed later, on its way home from another core, but not used.
  std::shared_ptr<NotificationHub*> self_ = std::make_shared<NotificationHub*>(this);
  store::NotificationRing ring_;   // empty while nobody follows: then decoding what is applied would be wasted
  Offset last_ = no_offset;        // newest applied
  std::size_t followers_ = 0;
  bool stopped_ = false;
  std::uint64_t ended_ = 0;        // calls of end_followers(): a follower that began before the last one ends
  WaitList news_;
  std::uint64_t batches_read_ = 0, notifications_read_ = 0;
};

}  // namespace skerry::replica
