// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>

#include "base/assert.hpp"
#include "runtime/core.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::store::testing {

namespace detail {
template <class T>
Task<> keep(Task<T> task, std::optional<T>& result) {
  result.emplace(co_await std::move(task));
}
}  // namespace detail

// Drives the core until the task has ended, waiting for helper threads where it must. For tests and benches.
template <class T>
T run(Core& core, Task<T> task) {
  std::optional<T> result;
  TaskScope scope(core);
  scope.spawn(detail::keep<T>(std::move(task), result));
  while (scope.size() > 0) {
    if (!core.run_turn()) core.wait(core.clock().now() + 1s);
  }
  SKERRY_ASSERT(result.has_value());
  return std::move(*result);
}

}  // namespace skerry::store::testing
