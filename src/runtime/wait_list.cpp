// SPDX-License-Identifier: Apache-2.0
#include "runtime/wait_list.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "runtime/core.hpp"

namespace skerry {
namespace {

void finish(CoreExecutor executor, detail::Parked& parked, boost::system::error_code error) {
  if (!parked.resume) return;   // already on its way
  parked.detail::InWaitList::unlink();
  parked.detail::InCore::unlink();
  asio::post(executor, [resume = std::exchange(parked.resume, nullptr), error]() mutable { resume(error); });
}

}  // namespace

Task<> WaitList::wait() {
  const asio::use_awaitable_t<CoreExecutor> token;
  co_await asio::async_initiate<const asio::use_awaitable_t<CoreExecutor>, void(boost::system::error_code)>(
      [this](auto handler) {
        auto slot = asio::get_associated_cancellation_slot(handler);
        auto parked = std::make_shared<detail::Parked>();
        parked->resume = [self = parked, handler = std::move(handler)](boost::system::error_code error) mutable {
          std::move(handler)(error);
        };
        waiters_.push_back(*parked);
        core_.park(*parked);
        if (slot.is_connected()) {
          slot.assign([executor = core_.executor(), parked](asio::cancellation_type) {
            finish(executor, *parked, asio::error::operation_aborted);
          });
        }
      },
      token);
}

bool WaitList::wake_one() {
  if (waiters_.empty()) return false;
  finish(core_.executor(), waiters_.front(), {});
  return true;
}

std::size_t WaitList::wake_all() {
  std::size_t count = 0;
  // Those who begin to wait while these are woken do so from the loop, so the list only shrinks here.
  while (wake_one()) ++count;
  return count;
}

}  // namespace skerry
