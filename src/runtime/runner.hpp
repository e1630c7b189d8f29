// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <exception>
#include <optional>
#include <utility>

#include "runtime/parking.hpp"
#include "runtime/task.hpp"

namespace skerry {

// A coroutine that runs tasks one after another and is kept between them: starting one costs neither an allocation nor a
// trip through the loop, and each can be cancelled by itself. For hot paths that keep their runners; elsewhere TaskScope.
// One core's. Whoever owns it keeps it alive while running() and so joins the task. A task that throws anything but
// cancellation ends the process.
template <class T>
class Runner {
 public:
  explicit Runner(Core& core) : core_(core), idle_(core) {}
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;
  virtual ~Runner() = default;

  // Runs the task up to its first wait inside this call. Requires: not running.
  void start(Task<T> task) {
    SKERRY_ASSERT(!running_);
    running_ = true;
    next_ = std::move(task);
    if (idle_.wake() || spawned_) return;
    spawned_ = true;
    asio::co_spawn(core_.executor(), loop(), Completion{*this});
  }
  // Throws cancellation into the running task, from the loop.
  void cancel() {
    if (running_) cancellation_.emit(asio::cancellation_type::terminal);
  }
  bool running() const { return running_; }

 protected:
  // The task has returned this, or nothing when it was cancelled. Inside start() when it never waited.
  virtual void on_end(std::optional<T> result) = 0;

 private:
  // Without an executor of its own, so that co_spawn hands a cancellation on at once: posted, it would meet the next task.
  struct Completion {
    using cancellation_slot_type = asio::cancellation_slot;
    cancellation_slot_type get_cancellation_slot() const noexcept { return runner.cancellation_.slot(); }
    void operator()(const std::exception_ptr& exception) const {
      if (exception) std::rethrow_exception(exception);
    }
    Runner& runner;
  };

  Task<> loop() {
    for (;;) {
      if (!next_.valid()) co_await idle_.wait();
      std::optional<T> result;
      try {
        result = co_await std::exchange(next_, Task<T>());
      } catch (const boost::system::system_error& error) {
        if (error.code() != asio::error::operation_aborted) throw;
      }
      // The next task starts with a clean state, whatever this one was told or asked for.
      co_await asio::this_coro::reset_cancellation_state();
      running_ = false;
      on_end(std::move(result));
    }
  }

  Core& core_;
  Parking idle_;
  Task<T> next_;
  asio::cancellation_signal cancellation_;
  bool spawned_ = false;
  bool running_ = false;
};

}  // namespace skerry
