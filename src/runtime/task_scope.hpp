// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <boost/asio/cancellation_signal.hpp>
#include <boost/intrusive/list.hpp>
#include <list>
#include <optional>

#include "runtime/task.hpp"
#include "runtime/wait_list.hpp"

namespace skerry {

class Core;

// Owns background coroutines: none outlives the scope's cancel_and_join(). The last member of its owner, so that the tasks
// end before what they use. One core's. An exception that leaves a task is a bug of ours and ends the process, but for
// cancellation, which is how tasks are meant to stop. A scope that is destroyed unjoined drops those of its tasks that have not
// begun; where others are left, its core must run no more.
class TaskScope {
 public:
  explicit TaskScope(Core& core) : core_(core), idle_(core) {}
  ~TaskScope();
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;

  struct Entry;
  using Handle = std::list<Entry>::iterator;

  // Starts the task from the loop, not inside this call. After cancel_and_join() has begun the task is dropped unstarted.
  void spawn(Task<> task);
  // Throws cancellation into every task and returns when all have ended. Never call it from a task of this scope.
  // Cancelling the caller meanwhile is noted and thrown at its next await, when all have ended.
  Task<> cancel_and_join();
  // Returns when all tasks have ended by themselves.
  Task<> join();

  std::size_t size() const { return tasks_.size(); }
  bool closed() const { return closed_; }

  // For who must cancel one task: the handle is valid until the task's frame is gone, which the task itself must tell.
  std::optional<Handle> spawn_with_handle(Task<> task);   // nothing when closed
  void cancel(Handle task);

  struct Entry {
    asio::cancellation_signal signal;
    bool cancelled = false;   // before it began
  };

 private:
  struct Completion;
  struct Start;
  using InScope = boost::intrusive::list_base_hook<boost::intrusive::tag<struct InScopeTag>, detail::Unlinking>;
  void launch(Handle position, Task<> task);
  void ended(Handle position);

  Core& core_;
  std::list<Entry> tasks_;
  WaitList idle_;
  boost::intrusive::list<InScope, boost::intrusive::base_hook<InScope>, boost::intrusive::constant_time_size<false>> starts_;
  bool closed_ = false;
};

}   // namespace skerry
