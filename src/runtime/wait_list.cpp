// SPDX-License-Identifier: Apache-2.0
#include "runtime/wait_list.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "runtime/core.hpp"

namespace skerry {

namespace detail {

Resume Parked::take() {
  InWaitList::unlink();
  InCore::unlink();
  Resume taken = std::move(*resume);
  resume.reset();
  const boost::intrusive_ptr<Parked> last = std::move(itself);
  return taken;
}

}   // namespace detail

namespace {

void finish(CoreExecutor executor, detail::Parked& parked, boost::system::error_code error) {
  if (!parked.resume) return;   // already on its way
  asio::post(executor, [resume = parked.take(), error]() mutable { resume(error); });
}

}  // namespace

void WaitList::park(detail::Resume resume) {
  auto slot = resume.get_cancellation_slot();
  const boost::intrusive_ptr<detail::Parked> parked(new detail::Parked);
  parked->resume.emplace(std::move(resume));
  parked->itself = parked;
  waiters_.push_back(*parked);
  core_.park(*parked);
  if (!slot.is_connected()) return;
  slot.assign([executor = core_.executor(), parked](asio::cancellation_type) {
    finish(executor, *parked, asio::error::operation_aborted);
  });
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
