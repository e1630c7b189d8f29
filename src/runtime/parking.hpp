// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <boost/asio/async_result.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include "base/assert.hpp"
#include "runtime/core.hpp"

namespace skerry {

// Where one coroutine waits to be resumed inside the call that wakes it: the hot path's WaitList, without allocation and
// without a trip through the loop. Whoever wakes must not touch, after wake(), what the coroutine may have changed.
// Cancelling throws operation_aborted into the coroutine, from the loop. Outlives the coroutines that wait in it.
class Parking {
 public:
  explicit Parking(Core& core) : core_(core) {}
  Parking(const Parking&) = delete;
  Parking& operator=(const Parking&) = delete;

  // co_await it at once. Requires: nobody waits here.
  auto wait() {
    return asio::async_initiate<const asio::deferred_t, void(boost::system::error_code)>(
        [this](detail::Resume resume) {
          SKERRY_ASSERT(!parked_.resume);
          auto slot = resume.get_cancellation_slot();
          parked_.resume.emplace(std::move(resume));
          core_.park(parked_);
          if (slot.is_connected()) slot.assign([this](asio::cancellation_type) { abort(); });
        },
        asio::deferred);
  }
  bool wake() {   // false when nobody waits
    if (!parked_.resume) return false;
    parked_.take()({});
    return true;
  }
  bool occupied() const { return parked_.resume.has_value(); }

 private:
  void abort() {
    if (!parked_.resume) return;
    asio::post(core_.executor(), [resume = parked_.take()]() mutable { resume(asio::error::operation_aborted); });
  }

  Core& core_;
  detail::Parked parked_;
};

}  // namespace skerry
