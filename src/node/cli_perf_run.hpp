// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "client/client.hpp"
#include "node/cli_perf_report.hpp"
#include "runtime/event.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::node {

struct PerfPlan {
  double rate = 100;              // operations a second, due at even intervals
  double read_share = 0.8;
  std::uint32_t keys = 1000;      // chosen uniformly
  std::size_t value_bytes = 128;
  std::string key_prefix = "key-";
  std::size_t in_flight = 0;      // not 0: the closed loop, always so many on the way, whatever the rate
  Duration duration{};            // 0: until stop()
  Duration warm_up{};             // not counted, before that
};

// A load in progress, on its client's core. In the open loop an operation is timed from when it was due, not from when it was
// sent: a stall is felt by everything that was due while it lasted.
class PerfRun {
 public:
  PerfRun(Core& core, client::Client& client, PerfPlan plan);   // both outlive it
  Task<> run();   // returns when the duration is over or after stop(), and all is answered
  void stop();
  // What was counted since the last call.
  PerfFigures take();

 private:
  Task<> send_when_due();
  Task<> send_after_answer();
  Task<> execute(TimePoint from);
  void count(bool read, TimePoint from, const Error* error);
  bool over() const { return stopped_ || core_.clock().now() >= end_; }

  Core& core_;
  client::Client& client_;
  PerfPlan plan_;
  std::vector<std::string> keys_;
  std::string value_;
  TimePoint counting_from_, taken_, end_;
  bool stopped_ = false;
  std::size_t busy_ = 0;
  PerfFigures figures_;
  Signal slot_free_;
  TaskScope tasks_;
};

}   // namespace skerry::node
