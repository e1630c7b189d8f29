// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>

#include "base/result.hpp"
#include "disk/machine_disk.hpp"
#include "net/stream.hpp"
#include "runtime/core.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::node {

// What comes before the process has cores: a folder tells how many there should be. On the main thread, which it blocks.
class Threshold {
 public:
  explicit Threshold(const Clock& clock);

  // Before anything is made on disk: a start that fails for its port should leave nothing behind.
  Result<> check_free(const net::Address& address);
  template <class T>
  T run(Task<T> task) {
    std::optional<T> outcome;
    tasks_.spawn(keep(std::move(task), outcome));
    while (!outcome) {
      if (!core_.run_turn()) core_.wait(no_deadline);
    }
    return *std::move(outcome);
  }
  disk::Disk& disk() { return disk_; }
  Core& core() { return core_; }

 private:
  template <class T>
  static Task<> keep(Task<T> task, std::optional<T>& outcome) {
    outcome.emplace(co_await std::move(task));
  }

  Core core_;
  disk::MachineDisk disk_;
  TaskScope tasks_;
};

}   // namespace skerry::node
