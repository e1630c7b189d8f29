// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "runtime/event.hpp"
#include "runtime/task.hpp"

namespace skerry::disk {

// One system call on its way outside the loop. Shared by whoever does it and the coroutine that waits, so that a cancelled
// waiter leaves nothing dangling.
struct PendingCall {
  explicit PendingCall(Core& core) : done(core) {}
  void finish(long outcome) {
    result = outcome;
    done.set();
  }
  long result = 0;   // what the call returned, or minus errno
  Event done;
};

// Does system calls that may wait for the device, one after the other, for one core. Owned by its MachineDisk, used from its
// core; the thread starts with the first call. The destructor waits for the call that is running and drops the rest.
class HelperThread {
 public:
  explicit HelperThread(Core& core) : core_(core) {}   // core must outlive this
  HelperThread(const HelperThread&) = delete;
  HelperThread& operator=(const HelperThread&) = delete;
  ~HelperThread();

  // `call` runs on the thread, owns what it touches, and returns a count or minus errno.
  Task<long> run(std::move_only_function<long()> call);

 private:
  struct Job {
    std::move_only_function<long()> call;
    std::shared_ptr<PendingCall> pending;
  };
  void loop();

  Core& core_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Job> jobs_;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace skerry::disk
