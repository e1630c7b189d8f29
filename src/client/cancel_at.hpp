// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "rpc/channel.hpp"
#include "runtime/core.hpp"

namespace skerry::client {

// Cancels a call at a point in time: for one step of a call that itself has no end. Lives shorter than the call.
class CancelAt final : public Timer {
 public:
  CancelAt(Core& core, rpc::ClientCall& call, Deadline at) : call_(call) {
    if (at != no_deadline) core.timers().arm(*this, at);
  }

 private:
  void on_due() override { call_.cancel(); }
  rpc::ClientCall& call_;
};

}  // namespace skerry::client
