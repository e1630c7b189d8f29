// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <boost/asio/cancellation_signal.hpp>

#include "rpc/parking.hpp"
#include "rpc/status.hpp"
#include "runtime/task.hpp"

namespace skerry::rpc {

// A coroutine that runs handlers one after another and is kept between them: starting one costs neither an allocation nor a
// trip through the loop, and each can be cancelled by itself. One core's; owned by the call it runs handlers for, which
// keeps it alive while running() and so joins it.
class Runner {
 public:
  explicit Runner(Core& core) : core_(core), idle_(core) {}
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;
  virtual ~Runner() = default;

  // Runs the handler up to its first wait inside this call. Requires: not running.
  void start(Task<Status> handler);
  // Throws cancellation into the running handler, from the loop.
  void cancel();
  bool running() const { return running_; }

 protected:
  // The handler has returned, or was cancelled: then with `cancelled`. Inside start() when it never waited.
  virtual void on_handler_end(Status status) = 0;

 private:
  Task<> loop();

  Core& core_;
  Parking idle_;
  Task<Status> next_;
  asio::cancellation_signal cancellation_;
  bool spawned_ = false;
  bool running_ = false;
};

}  // namespace skerry::rpc
