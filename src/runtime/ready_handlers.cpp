// SPDX-License-Identifier: Apache-2.0
#include "runtime/ready_handlers.hpp"

#include "runtime/reveal.hpp"

namespace skerry {

// Not in an unnamed namespace: the friend of a struct there would not be the one that Reveal defines, which is of this namespace.
struct SchedulerPollOne {
  using type = std::size_t (asio::detail::scheduler::*)(asio::detail::conditionally_enabled_mutex::scoped_lock&,
                                                        asio::detail::scheduler_thread_info&, const boost::system::error_code&);
  friend type member_of(SchedulerPollOne);
};
template struct Reveal<SchedulerPollOne, &asio::detail::scheduler::do_poll_one>;

struct SchedulerMutex {
  using type = asio::detail::conditionally_enabled_mutex asio::detail::scheduler::*;
  friend type member_of(SchedulerMutex);
};
template struct Reveal<SchedulerMutex, &asio::detail::scheduler::mutex_>;

struct SchedulerReady {
  using type = asio::detail::op_queue<asio::detail::scheduler_operation> asio::detail::scheduler::*;
  friend type member_of(SchedulerReady);
};
template struct Reveal<SchedulerReady, &asio::detail::scheduler::op_queue_>;

ReadyHandlers::ReadyHandlers(asio::io_context& io) : io_(io), scheduler_(asio::use_service<asio::detail::scheduler>(io)) {
  memory_.private_outstanding_work = 0;
}

ReadyHandlers::Turn::Turn(ReadyHandlers& handlers) : handlers_(handlers), context_(&handlers.scheduler_, handlers.memory_) {
  handlers_.io_.restart();
}

bool ReadyHandlers::any() const { return !(scheduler_.*member_of(SchedulerReady{})).empty(); }

bool ReadyHandlers::Turn::run_one() {
  asio::detail::conditionally_enabled_mutex::scoped_lock lock(handlers_.scheduler_.*member_of(SchedulerMutex{}));
  return (handlers_.scheduler_.*member_of(SchedulerPollOne{}))(lock, handlers_.memory_, {}) > 0;
}

}   // namespace skerry
