// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <utility>

#include "runtime/event.hpp"

namespace skerry::replica {

class Shard;

// How many hold a shard. Outlives it where one of them is freed late, on its way home from another core.
class ShardUses {
 public:
  explicit ShardUses(Core& core) : unused_(core) {}
  bool closed() const { return closed_; }   // stopped: nobody should enter any more
  void enter() { ++count_; }
  void leave() {
    if (--count_ == 0) unused_.notify_all();
  }
  void close() { closed_ = true; }
  bool any() const { return count_ > 0; }
  Task<> wait_none() {
    while (count_ > 0) co_await unused_.wait();
  }

 private:
  std::size_t count_ = 0;
  bool closed_ = false;
  Signal unused_;
};

// Held by whoever answers for a shard, from finding it to the last answer: a shard that is being deleted stays until nobody does.
// On the shard's core.
class ShardUse {
 public:
  ShardUse(Shard& shard, std::shared_ptr<ShardUses> uses) : shard_(&shard), uses_(std::move(uses)) { uses_->enter(); }
  ShardUse(ShardUse&& other) noexcept = default;
  ShardUse& operator=(ShardUse&&) = delete;
  ~ShardUse() {
    if (uses_) uses_->leave();
  }
  Shard& operator*() const { return *shard_; }
  Shard* operator->() const { return shard_; }
  // For who rests between requests, holding nothing, and enters again.
  const std::shared_ptr<ShardUses>& uses() const { return uses_; }

 private:
  Shard* shard_;
  std::shared_ptr<ShardUses> uses_;
};

}   // namespace skerry::replica
