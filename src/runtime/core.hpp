// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/ids.hpp"
#include "runtime/clock.hpp"
#include "runtime/random.hpp"
#include "runtime/task.hpp"
#include "runtime/timers.hpp"
#include "runtime/wait_list.hpp"

namespace skerry {

// Something to do once at the end of a loop turn, when everything that was ready has run: one write for all replies,
// one sync for all appends. Owned by whoever schedules it; leaves the turn when destroyed.
class TurnHook {
 public:
  TurnHook() = default;
  TurnHook(const TurnHook&) = delete;
  TurnHook& operator=(const TurnHook&) = delete;
  virtual ~TurnHook();

 protected:
  virtual void on_turn_end() = 0;   // may schedule itself again: that is for the next turn

 private:
  friend class Core;
  class Core* core_ = nullptr;
};

// What other cores have left for this one. Asked by the core's own loop.
class Inbox {
 public:
  virtual ~Inbox() = default;
  virtual bool deliver() = 0;          // at the start of every turn; whether there was anything
  virtual bool has_mail() const = 0;   // before the loop goes to sleep
};

class ReadyHandlers;

// Whether other threads may call a core. One that only its own thread calls, and that waits for nothing outside, costs no system
// call a turn.
enum class Outside : std::uint8_t { open, closed };

// One event loop and what belongs to it. Everything but post_from_outside() and wake() may be used by its own thread only.
// Whoever drives it (a pinned thread in a process, the simulator) outlives it and calls run_turn().
class Core {
 public:
  Core(CoreId id, const Clock& clock, std::uint64_t seed, Outside outside = Outside::open);   // clock must outlive this
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  ~Core();

  CoreId id() const { return id_; }
  CoreExecutor executor() { return io_.get_executor(); }
  asio::io_context& io() { return io_; }   // for runtime, net and disk only
  // The core that runs a coroutine, from its executor: Core::of(co_await asio::this_coro::executor).
  static Core& of(const CoreExecutor& executor);
  const Clock& clock() const { return clock_; }
  Random& random() { return random_; }
  Timers& timers() { return timers_; }

  // The monotonic time at the start of this turn: cheap, and the same for everything in the turn.
  TimePoint now() const { return now_; }

  Task<> sleep_until(TimePoint at);
  Task<> sleep_for(Duration length) { return sleep_until(now_ + length); }
  // Lets everything else that is ready run first; in the next turn if this one has lasted long.
  Task<> yield();
  // True once this turn has lasted so long that a loop should yield: if (core.yield_due()) co_await core.yield();
  bool yield_due() const { return clock_.now() - now_ >= turn_slice; }

  // Calls the hook once at the end of this turn; scheduling twice is the same as once.
  void at_turn_end(TurnHook& hook);

  // From any thread: runs `work` on this core soon. For helper threads; cores talk through mailboxes.
  void post_from_outside(std::move_only_function<void()> work);

  // From any thread: the loop looks into its inbox soon, even if it sleeps now.
  void wake();
  void set_inbox(Inbox* inbox) { inbox_ = inbox; }   // null to take it away; must outlive the loop

  // For the driver: delivers the inbox, runs due timers and what is ready (at most `handlers_max` handlers, and not for
  // much longer than a millisecond), then the hooks.
  // Returns whether anything ran.
  bool run_turn(std::size_t handlers_max = 512);
  // For the driver of a real loop, after a turn that ran nothing: sleeps until something is ready, a timer is due, or `until`.
  // Runs nothing itself, so that every handler belongs to a turn.
  void wait(TimePoint until);
  std::optional<TimePoint> next_timer() const { return timers_.next(); }

  // Destroys every coroutine frame of this core where it stands, running none of them: what a crash does. The objects that
  // the frames refer to must still be alive, and no loop turn may follow. Destructors must therefore do no I/O.
  void drop_frames();

  // For WaitList: lets drop_frames() find the coroutine.
  void park(detail::Parked& parked) { parked_.push_back(parked); }

 private:
  friend class TurnHook;
  static constexpr Duration turn_slice = 1ms;   // a fraction of what a caller would notice
  static constexpr std::size_t handlers_between_looks = 32;   // at the clock
  void take_outside_work();
  bool run_hooks();
  void sleep(TimePoint until);

  CoreId id_;
  const Clock& clock_;
  Random random_;
  TimePoint now_;
  struct Io : asio::io_context {
    explicit Io(Core& owner) : io_context(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE), core(owner) {}
    void drop() { execution_context::shutdown(); }
    Core& core;
  };
  detail::CoreQueue parked_;   // before io_: frames that die with it still unlink themselves
  Io io_;
  std::unique_ptr<ReadyHandlers> handlers_;
  Timers timers_;
  std::vector<TurnHook*> hooks_, running_hooks_;

  class Waker;   // an eventfd in the loop
  std::unique_ptr<Waker> waker_;   // null: Outside::closed
  Inbox* inbox_ = nullptr;
  bool ran_last_turn_ = false, turn_over_ = false;
  std::atomic<bool> sleeping_ = false;   // who finds it set and clears it writes the eventfd
  std::mutex outside_mutex_;   // the one lock of a core: work that comes from helper threads
  std::vector<std::move_only_function<void()>> outside_;
};

}   // namespace skerry
