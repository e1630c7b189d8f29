// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <list>
#include <utility>

#include "base/result.hpp"
#include "runtime/core.hpp"
#include "runtime/event.hpp"

namespace skerry::client {

// Bounds what a client has under way, by count and by bytes; who comes later waits, in order of arrival. One core's.
class Admission {
 public:
  Admission(Core& core, std::size_t operations_max, std::size_t bytes_max)
      : core_(core), operations_max_(operations_max), bytes_max_(bytes_max) {}
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // One operation's share; given back when destroyed.
  class Lease {
   public:
    Lease(Admission& admission, std::size_t bytes) : admission_(&admission), bytes_(bytes) {}
    Lease(Lease&& other) noexcept : admission_(std::exchange(other.admission_, nullptr)), bytes_(other.bytes_) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (admission_ != nullptr) admission_->leave(bytes_);
    }

   private:
    Admission* admission_;
    std::size_t bytes_;
  };

  // Fails with resource_exhausted when there is no room in time. An operation larger than the whole bound goes when it is alone.
  Task<Result<Lease>> enter(std::size_t bytes, Deadline deadline);

  std::size_t operations() const { return operations_; }
  std::size_t bytes() const { return bytes_; }
  std::size_t waiting() const { return waiters_.size(); }

 private:
  class Waiter;
  bool fits(std::size_t bytes) const {
    return operations_ == 0 || (operations_ < operations_max_ && bytes_ + bytes <= bytes_max_);
  }
  void take(std::size_t bytes) {
    ++operations_;
    bytes_ += bytes;
  }
  void leave(std::size_t bytes);

  Core& core_;
  std::size_t operations_max_, bytes_max_;
  std::size_t operations_ = 0, bytes_ = 0;
  std::list<Waiter*> waiters_;
};

}   // namespace skerry::client
