// SPDX-License-Identifier: Apache-2.0
#include "runtime/join.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <exception>

#include "runtime/task_scope.hpp"

namespace skerry {
namespace {

Task<> note_exception(Task<> task, std::exception_ptr& into) {
  try {
    co_await std::move(task);
  } catch (...) {
    into = std::current_exception();
  }
}

// Returns when the scope is empty. A cancelled caller cancels the tasks and sees the exception after they have ended.
Task<> join_or_cancel(TaskScope& scope) {
  std::exception_ptr cancelled;
  try {
    co_await scope.join();
  } catch (...) {
    cancelled = std::current_exception();
  }
  if (!cancelled) co_return;
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await scope.cancel_and_join();
  co_await asio::this_coro::throw_if_cancelled(throws);
  std::rethrow_exception(cancelled);
}

class Cutoff final : public Timer {
 public:
  Cutoff(TaskScope& scope, TaskScope::Handle task) : scope_(scope), task_(task) {}
  bool fired() const { return fired_; }

 private:
  void on_due() override {
    if (scope_.size() == 0) return;   // ended in this very turn
    fired_ = true;
    scope_.cancel(task_);
  }
  TaskScope& scope_;
  TaskScope::Handle task_;
  bool fired_ = false;
};

bool is_cancellation(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const boost::system::system_error& error) {
    return error.code() == asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

}  // namespace

Task<> run_all(Core& core, std::vector<Task<>> tasks) {
  TaskScope scope(core);
  std::vector<std::exception_ptr> exceptions(tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) scope.spawn(note_exception(std::move(tasks[i]), exceptions[i]));
  co_await join_or_cancel(scope);
  for (const auto& exception : exceptions) {
    if (exception) std::rethrow_exception(exception);
  }
}

Task<> run_beside(Core& core, Task<> main, Task<> helper) {
  TaskScope scope(core), beside(core);
  std::exception_ptr exception, ignored;
  beside.spawn(note_exception(std::move(helper), ignored));
  scope.spawn(note_exception(std::move(main), exception));
  std::exception_ptr cancelled;
  try {
    co_await join_or_cancel(scope);
  } catch (...) {
    cancelled = std::current_exception();
  }
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await beside.cancel_and_join();
  co_await asio::this_coro::throw_if_cancelled(throws);
  if (cancelled) std::rethrow_exception(cancelled);
  if (exception) std::rethrow_exception(exception);
  if (ignored && !is_cancellation(ignored)) std::rethrow_exception(ignored);
}

Task<Ended> run_until(Core& core, Task<> task, Deadline deadline) {
  if (deadline <= core.now()) co_return Ended::by_deadline;
  TaskScope scope(core);
  std::exception_ptr exception;
  Cutoff cutoff(scope, *scope.spawn_with_handle(note_exception(std::move(task), exception)));
  core.timers().arm(cutoff, deadline);
  co_await join_or_cancel(scope);
  if (exception) {
    if (cutoff.fired() && is_cancellation(exception)) co_return Ended::by_deadline;
    std::rethrow_exception(exception);
  }
  // Cancelled before it began: then it left no exception.
  co_return cutoff.fired() ? Ended::by_deadline : Ended::itself;
}

}  // namespace skerry
