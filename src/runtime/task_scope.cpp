// SPDX-License-Identifier: Apache-2.0
#include "runtime/task_scope.hpp"

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

// A task on its way into the loop. The scope knows where it is, and may be gone when it arrives.
struct TaskScope::Start : InScope {
  Start(TaskScope& of, Handle at, Task<> what) : scope(&of), position(at), task(std::move(what)) {
    scope->starts_.push_back(*this);
  }
  Start(Start&& other) noexcept : scope(other.scope), position(other.position), task(std::move(other.task)) {
    InScope::swap_nodes(other);
  }
  Start(const Start&) = delete;
  Start& operator=(const Start&) = delete;
  Start& operator=(Start&&) = delete;
  ~Start() = default;

  void operator()() {
    if (scope == nullptr) return;
    InScope::unlink();
    scope->launch(position, std::move(task));
  }

  TaskScope* scope;
  Handle position;
  Task<> task;
};

TaskScope::~TaskScope() {
  while (!starts_.empty()) {
    Start& start = static_cast<Start&>(starts_.front());
    start.scope = nullptr;
    starts_.pop_front();
  }
}

void TaskScope::spawn(Task<> task) { spawn_with_handle(std::move(task)); }

std::optional<TaskScope::Handle> TaskScope::spawn_with_handle(Task<> task) {
  if (closed_) return std::nullopt;
  tasks_.emplace_back();
  const auto position = std::prev(tasks_.end());
  // co_spawn would run the task's first stretch inside this call.
  asio::post(core_.executor(), Start(*this, position, std::move(task)));
  return position;
}

// Names its cancellation slot and no executor. With an executor of its own, as bind_cancellation_slot() gives it, co_spawn would
// post the cancellation instead of passing it on, and the task may be gone when it arrives.
struct TaskScope::Completion {
  using cancellation_slot_type = asio::cancellation_slot;
  cancellation_slot_type get_cancellation_slot() const noexcept { return position->signal.slot(); }
  void operator()(std::exception_ptr exception) const {
    scope.ended(position);
    expect_cancellation_only(exception);
  }

  TaskScope& scope;
  Handle position;
};

void TaskScope::launch(Handle position, Task<> task) {
  if (position->cancelled) {
    {
      const Task<> dropped = std::move(task);
    }   // the frame goes before anybody hears that the task has ended
    return ended(position);
  }
  asio::co_spawn(core_.executor(), std::move(task), Completion{*this, position});
}

void TaskScope::ended(Handle position) {
  tasks_.erase(position);
  if (tasks_.empty()) idle_.wake_all();
}

void TaskScope::cancel(Handle task) {
  task->cancelled = true;
  task->signal.emit(asio::cancellation_type::terminal);
}

Task<> TaskScope::cancel_and_join() {
  closed_ = true;
  // A task may end, and leave the list, while its neighbour is told.
  for (auto task = tasks_.begin(); task != tasks_.end();) cancel(task++);
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!tasks_.empty()) {
    try {
      co_await idle_.wait();
    } catch (const boost::system::system_error&) {
      // The caller was cancelled. Its next await after this function throws; the tasks are on their way out anyway.
    }
  }
  co_await asio::this_coro::throw_if_cancelled(throws);
}

Task<> TaskScope::join() {
  while (!tasks_.empty()) co_await idle_.wait();
}

}  // namespace skerry
