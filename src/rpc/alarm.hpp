// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "runtime/event.hpp"
#include "runtime/timers.hpp"

namespace skerry::rpc {

// Wakes those who wait for something else as well, when its time has come.
struct Alarm final : Timer {
  explicit Alarm(Signal& to_notify) : signal(to_notify) {}
  void on_due() override {
    rang = true;
    signal.notify_all();
  }
  Signal& signal;
  bool rang = false;
};

}   // namespace skerry::rpc
