// SPDX-License-Identifier: Apache-2.0
#include "runtime/task_scope.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <cstdio>
#include <exception>
#include <utility>

#include "runtime/core.hpp"

namespace skerry {
namespace {

void expect_cancellation_only(const std::exception_ptr& exception) {
  if (!exception) return;
  try {
    std::rethrow_exception(exception);
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::error::operation_aborted) return;
    std::fprintf(stderr, "a background task failed: %s\n", error.what());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "a background task failed: %s\n", error.what());
  }
  std::terminate();
}

}  // namespace

void TaskScope::spawn(Task<> task) {
  if (closed_) return;
  tasks_.emplace_back();
  const auto position = std::prev(tasks_.end());
  asio::co_spawn(core_.executor(), std::move(task),
                 asio::bind_cancellation_slot(position->slot(), [this, position](std::exception_ptr exception) {
                   tasks_.erase(position);
                   if (tasks_.empty()) idle_.wake_all();
                   expect_cancellation_only(exception);
                 }));
}

Task<> TaskScope::cancel_and_join() {
  closed_ = true;
  // A task may end, and leave the list, while its neighbour is told.
  for (auto task = tasks_.begin(); task != tasks_.end();) (task++)->emit(asio::cancellation_type::terminal);
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await join();
}

Task<> TaskScope::join() {
  while (!tasks_.empty()) co_await idle_.wait();
}

}  // namespace skerry
