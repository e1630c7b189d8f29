// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "runtime/wait_list.hpp"

namespace skerry {

// A flag that coroutines of one core can wait for.
class Event {
 public:
  explicit Event(Core& core) : waiters_(core) {}
  void set() {
    set_ = true;
    waiters_.wake_all();
  }
  void reset() { set_ = false; }
  bool is_set() const { return set_; }
  // Returns once the event is set; it may have been reset again by the time the waiter runs.
  Task<> wait() {
    if (!set_) co_await waiters_.wait();
  }

 private:
  WaitList waiters_;
  bool set_ = false;
};

// Wakes whoever waits at this moment; nothing is remembered. Check your condition in a loop around wait().
class Signal {
 public:
  explicit Signal(Core& core) : waiters_(core) {}
  void notify_all() { waiters_.wake_all(); }
  auto wait() { return waiters_.wait(); }   // co_await it at once

 private:
  WaitList waiters_;
};

}  // namespace skerry
