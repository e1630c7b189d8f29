// SPDX-License-Identifier: Apache-2.0
#include "rpc/runner.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

namespace skerry::rpc {

void Runner::start(Task<Status> handler) {
  SKERRY_ASSERT(!running_);
  running_ = true;
  next_ = std::move(handler);
  if (idle_.wake() || spawned_) return;
  spawned_ = true;
  asio::co_spawn(core_.executor(), loop(),
                 asio::bind_cancellation_slot(cancellation_.slot(), [](std::exception_ptr exception) {
                   if (exception) std::rethrow_exception(exception);   // a bug of ours: ends the process
                 }));
}

void Runner::cancel() {
  if (running_) cancellation_.emit(asio::cancellation_type::terminal);
}

Task<> Runner::loop() {
  for (;;) {
    if (!next_.valid()) co_await idle_.wait();
    Status status{Code::cancelled, "the call was cancelled", {}};
    try {
      status = co_await std::exchange(next_, Task<Status>());
    } catch (const boost::system::system_error& error) {
      if (error.code() != asio::error::operation_aborted) throw;
    }
    // The next handler starts with a clean state, whatever this one was told or asked for.
    co_await asio::this_coro::reset_cancellation_state();
    running_ = false;
    on_handler_end(std::move(status));
  }
}

}  // namespace skerry::rpc
