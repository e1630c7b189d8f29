// SPDX-License-Identifier: Apache-2.0
#include "runtime/wait_until.hpp"

#include "runtime/core.hpp"

namespace skerry {
namespace {

class Bell final : public Timer {
 public:
  explicit Bell(WaitList& list) : list_(list) {}

 private:
  void on_due() override { list_.wake_all(); }
  WaitList& list_;
};

}   // namespace

Task<> wait_until(Core& core, WaitList& list, TimePoint at) {
  Bell bell(list);
  core.timers().arm(bell, at);
  co_await list.wait();
}

}   // namespace skerry
