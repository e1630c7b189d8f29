// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <boost/asio/detail/scheduler.hpp>
#include <boost/asio/detail/scheduler_thread_info.hpp>
#include <boost/asio/io_context.hpp>

#include "runtime/task.hpp"

namespace skerry {

// What is ready in a core's loop, run one by one, as io_context::poll_one() does it. Asio begins and ends a whole poll for each,
// and gives back the memory of the coroutines that ended in it: here a poll lasts a turn, and the memory is kept for the next.
// A Core's, for its own loop, which must outlive it; on that loop's thread alone.
class ReadyHandlers : private asio::detail::thread_context {
 public:
  explicit ReadyHandlers(asio::io_context& io);
  bool any() const;   // False: nothing is posted, and no descriptors are watched.

  class Turn {
   public:
    explicit Turn(ReadyHandlers& handlers);
    bool run_one();     // false when nothing is ready

   private:
    ReadyHandlers& handlers_;
    thread_call_stack::context context_;
  };

 private:
  asio::io_context& io_;
  asio::detail::scheduler& scheduler_;
  asio::detail::scheduler_thread_info memory_;
};

}   // namespace skerry
