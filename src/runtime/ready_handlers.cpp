// SPDX-License-Identifier: Apache-2.0
#include "runtime/ready_handlers.hpp"

#include "runtime/reveal.hpp"

namespace skerry {

struct PollOne {
  using type = std::size_t (asio::detail::scheduler::*)(asio::detail::conditionally_enabled_mutex::scoped_lock&,
                                                        asio::detail::scheduler_thread_info&, const boost::system::error_code&);
  friend type member_of(PollOne);
};
template struct Reveal<PollOne, &asio::detail::scheduler::do_poll_one>;

struct Lock {
  using type = asio::detail::conditionally_enabled_mutex asio::detail::scheduler::*;
  friend type member_of(Lock);
};
template struct Reveal<Lock, &asio::detail::scheduler::mutex_>;

struct Ready {
  using type = asio::detail::op_queue<asio::detail::scheduler_operation> asio::detail::scheduler::*;
  friend type member_of(Ready);
};
template struct Reveal<Ready, &asio::detail::scheduler::op_queue_>;

ReadyHandlers::ReadyHandlers(asio::io_context& io) : io_(io), scheduler_(asio::use_service<asio::detail::scheduler>(io)) {
  memory_.private_outstanding_work = 0;
}

ReadyHandlers::Turn::Turn(ReadyHandlers& handlers) : handlers_(handlers), context_(&handlers.scheduler_, handlers.memory_) {
  handlers_.io_.restart();
}

bool ReadyHandlers::any() const { return !(scheduler_.*member_of(Ready{})).empty(); }

bool ReadyHandlers::Turn::run_one() {
  asio::detail::conditionally_enabled_mutex::scoped_lock lock(handlers_.scheduler_.*member_of(Lock{}));
  return (handlers_.scheduler_.*member_of(PollOne{}))(lock, handlers_.memory_, {}) > 0;
}

}   // namespace skerry
