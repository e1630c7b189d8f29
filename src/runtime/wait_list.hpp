// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <boost/intrusive/list.hpp>
#include <boost/system/error_code.hpp>
#include <functional>
#include <memory>

#include "runtime/task.hpp"

namespace skerry {

class Core;

namespace detail {

using Unlinking = boost::intrusive::link_mode<boost::intrusive::auto_unlink>;
using InWaitList = boost::intrusive::list_base_hook<boost::intrusive::tag<struct InWaitListTag>, Unlinking>;
using InCore = boost::intrusive::list_base_hook<boost::intrusive::tag<struct InCoreTag>, Unlinking>;

// One suspended coroutine. Linked while it waits; `resume` is empty once it was woken, cancelled or dropped.
struct Parked : InWaitList, InCore {
  std::move_only_function<void(boost::system::error_code)> resume;
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

  Task<> wait();
  bool wake_one();          // false when nobody waits
  std::size_t wake_all();
  bool empty() const { return waiters_.empty(); }

 private:
  Core& core_;
  detail::WaitListQueue waiters_;
};

}  // namespace skerry
