// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <boost/asio/this_coro.hpp>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "runtime/core.hpp"
#include "runtime/event.hpp"

namespace skerry {

// Where calls go that would hold up a core: name lookup, opening a database, hashing a large file. The seam is submit():
// helper threads in a process, at once and in place in simulation.
class Blocking {
 public:
  virtual ~Blocking() = default;
  // Runs `work` away from the caller's loop. Any thread may call it.
  virtual void submit(std::move_only_function<void()> work) = 0;

  // Runs the function, brings back what it returns or throws. The function must own or outlast what it uses: cancelling the
  // caller abandons it, and its result is then freed on the caller's core.
  template <class F>
  Task<std::invoke_result_t<F&>> run(F function) {
    using Value = std::invoke_result_t<F&>;
    struct Errand {
      explicit Errand(Core& core) : done(core) {}
      Event done;   // the core's
      std::exception_ptr exception;
      std::optional<std::conditional_t<std::is_void_v<Value>, std::monostate, Value>> value;
    };
    Core& core = Core::of(co_await asio::this_coro::executor);
    const auto errand = std::make_shared<Errand>(core);
    submit([errand = std::shared_ptr<Errand>(errand), function = std::move(function), &core]() mutable {
      try {
        if constexpr (std::is_void_v<Value>) {
          function();
        } else {
          errand->value.emplace(function());
        }
      } catch (...) {
        errand->exception = std::current_exception();
      }
      core.post_from_outside([errand = std::move(errand)] { errand->done.set(); });
    });
    co_await errand->done.wait();
    if (errand->exception) std::rethrow_exception(errand->exception);
    if constexpr (!std::is_void_v<Value>) co_return *std::move(errand->value);
  }
};

// For simulation and tests: the core waits.
class InlineBlocking final : public Blocking {
 public:
  void submit(std::move_only_function<void()> work) override { work(); }
};

// A few threads, started with it. Destroying it finishes what was submitted; the cores it answers to must still exist then.
class HelperThreads final : public Blocking {
 public:
  explicit HelperThreads(std::size_t count);
  ~HelperThreads() override;
  void submit(std::move_only_function<void()> work) override;
  std::size_t waiting() const;   // submitted and not begun

 private:
  void serve();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::move_only_function<void()>> work_;   // bounded by its callers, who each wait for theirs
  bool stopping_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace skerry
