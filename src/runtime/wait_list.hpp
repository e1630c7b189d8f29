// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <boost/asio/async_result.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/intrusive/list.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#include <boost/system/error_code.hpp>
#include <optional>

#include "runtime/task.hpp"

namespace skerry {

class Core;

namespace detail {

using Unlinking = boost::intrusive::link_mode<boost::intrusive::auto_unlink>;
using InWaitList = boost::intrusive::list_base_hook<boost::intrusive::tag<struct InWaitListTag>, Unlinking>;
using InCore = boost::intrusive::list_base_hook<boost::intrusive::tag<struct InCoreTag>, Unlinking>;

// Continues a coroutine that awaits an operation of Asio's `deferred`.
using Resume = asio::detail::awaitable_async_op_handler<void(boost::system::error_code), CoreExecutor>;

// One suspended coroutine. Linked while it waits; `resume` is empty once it was woken, cancelled or dropped.
struct Parked : InWaitList, InCore, boost::intrusive_ref_counter<Parked, boost::thread_unsafe_counter> {
  std::optional<Resume> resume;
  boost::intrusive_ptr<Parked> itself;   // while it waits, unless something else owns it

  Resume take();   // requires: it waits. Unlinks it; it may be gone afterwards
};
using WaitListQueue =
    boost::intrusive::list<Parked, boost::intrusive::base_hook<InWaitList>, boost::intrusive::constant_time_size<false>>;
using CoreQueue =
    boost::intrusive::list<Parked, boost::intrusive::base_hook<InCore>, boost::intrusive::constant_time_size<false>>;

}  // namespace detail

// Coroutines of one core that wait to be woken, in order of arrival. The ground that Event, Semaphore, Queue and sleeping
// stand on. A woken coroutine continues from the loop, never inside the call that woke it.
// Cancelling a waiting coroutine takes it off the list and throws operation_aborted into it.
class WaitList {
 public:
  explicit WaitList(Core& core) : core_(core) {}   // core must outlive this
  WaitList(const WaitList&) = delete;
  WaitList& operator=(const WaitList&) = delete;

  // co_await it at once.
  auto wait() {
    return asio::async_initiate<const asio::deferred_t, void(boost::system::error_code)>(
        [this](detail::Resume resume) { park(std::move(resume)); }, asio::deferred);
  }
  bool wake_one();          // false when nobody waits
  std::size_t wake_all();
  bool empty() const { return waiters_.empty(); }

 private:
  void park(detail::Resume resume);

  Core& core_;
  detail::WaitListQueue waiters_;
};

}  // namespace skerry
