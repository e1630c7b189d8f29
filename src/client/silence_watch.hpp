// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <string>
#include <utility>

#include "client/cluster.hpp"

namespace skerry::client {

// Notices that a server which was asked does not answer for a while, and says so again and again until it does. It may hang, and
// the assignments that it tells with it: then another must be asked who leads. One core's; costs one timer while something is
// waited for, not one for each answer.
class SilenceWatch final : private Timer {
 public:
  SilenceWatch(Cluster& cluster, std::string address, std::function<void()> on_silence = nullptr)   // the cluster outlives it
      : cluster_(cluster), address_(std::move(address)), on_silence_(std::move(on_silence)) {}

  void asked() {
    awaited_ = true;
    if (!armed()) arm();
  }
  // It has answered; whether more is waited for.
  void heard(bool more) {
    heard_ = true;
    awaited_ = more;
  }

 private:
  static constexpr Duration interval = 100ms;   // silence is noticed after one to two of them

  void arm() {
    heard_ = false;
    cluster_.core().timers().arm(*this, cluster_.core().now() + interval);
  }
  void on_due() override {
    if (!awaited_) return;
    const bool silent = !heard_;
    arm();
    if (!silent) return;
    cluster_.unanswered(address_);
    if (on_silence_) on_silence_();
  }

  Cluster& cluster_;
  const std::string address_;
  const std::function<void()> on_silence_;
  bool awaited_ = false, heard_ = false;
};

}   // namespace skerry::client
