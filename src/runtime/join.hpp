// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "runtime/core.hpp"
#include "runtime/task.hpp"

namespace skerry {

// Runs all tasks at the same time on `core`, the caller's, and returns when every one has ended; then throws the first exception,
// by position, if there was any. Cancelling the caller cancels them all, and still waits for them.
Task<> run_all(Core& core, std::vector<Task<>> tasks);

// Runs both at the same time; when `main` has ended, cancels `helper` if it still runs and waits for its end. Then an exception
// of `main` comes through, or else one of `helper`. Cancelling the caller cancels both, and still waits for them.
Task<> run_beside(Core& core, Task<> main, Task<> helper);

enum class Ended { itself, by_deadline };

// Runs the task, and cancels it at the deadline; either way returns once it has ended. Exceptions come through, but for the
// cancellation by the deadline. Cancelling the caller reaches the task. A deadline that has passed starts nothing.
Task<Ended> run_until(Core& core, Task<> task, Deadline deadline);

namespace detail {
template <class T>
Task<> keep_outcome(Task<Result<T>> task, std::optional<Result<T>>& into) {
  into.emplace(co_await std::move(task));
}
}   // namespace detail

// What the task returns, or deadline_exceeded; then the outcome of what the task began may be unknown.
template <class T>
Task<Result<T>> with_deadline(Core& core, Task<Result<T>> task, Deadline deadline) {
  if (deadline == no_deadline) co_return co_await std::move(task);
  std::optional<Result<T>> outcome;
  co_await run_until(core, detail::keep_outcome(std::move(task), outcome), deadline);
  if (!outcome) co_return fail(Errc::deadline_exceeded, "the deadline passed before the work was done");
  co_return *std::move(outcome);
}

}   // namespace skerry
