// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <optional>

#include "base/time.hpp"

namespace skerry {

namespace detail {
using TimerHook = boost::intrusive::list_base_hook<boost::intrusive::tag<struct TimerTag>,
                                                   boost::intrusive::link_mode<boost::intrusive::normal_link>>;
}

// Something to be told at a point in time. Owned by whoever waits; leaves its Timers when destroyed.
class Timer : public detail::TimerHook {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  virtual ~Timer() { cancel(); }
  void cancel();
  bool armed() const { return timers_ != nullptr; }

 protected:
  virtual void on_due() = 0;   // runs on the core's loop; may arm again or destroy the timer

 private:
  friend class Timers;
  class Timers* timers_ = nullptr;
  TimePoint at_{};
  std::uint64_t order_ = 0;    // of arming: decides between equal times
  std::uint16_t slot_ = 0;
};

// All timers of one core, pure: told what time it is, it says who is due. Must outlive the timers armed in it.
// A hierarchical timer wheel: arming and cancelling cost the same however many there are, which matters because nearly all
// timeouts are cancelled. A timer stands at the level of the highest digit (base 64) in which its tick differs from the current
// one, and moves down when its slot is reached; so whatever stands at a lower level is due before all at higher ones.
class Timers {
 public:
  Timers() = default;
  Timers(const Timers&) = delete;
  Timers& operator=(const Timers&) = delete;
  ~Timers();
  void arm(Timer& timer, TimePoint at);       // arming again moves it
  // Nothing is due before this, and after run(now) it is later than `now`. Exact to the nanosecond when it is near; for a far
  // timer it may be early.
  std::optional<TimePoint> next() const;
  std::size_t run(TimePoint now);   // tells all that are due, in order of time; returns how many
  std::size_t size() const { return size_; }

 private:
  friend class Timer;
  using List =
      boost::intrusive::list<Timer, boost::intrusive::base_hook<detail::TimerHook>, boost::intrusive::constant_time_size<false>>;
  using Tick = std::uint64_t;
  static constexpr int tick_bits = 20;   // of a nanosecond count: a tick is about a millisecond
  static constexpr int digit_bits = 6, levels = 8;   // 8 * 6 + 20 bits hold every TimePoint
  static constexpr std::size_t slots = std::size_t{1} << digit_bits;
  static constexpr std::uint16_t due_slot = levels * slots;

  static Tick tick_of(TimePoint at);
  static TimePoint time_of(Tick tick);
  void insert(Timer& timer);
  void remove(Timer& timer);
  std::optional<std::uint16_t> first_slot() const;
  Tick start_of(std::uint16_t slot) const;
  bool advance(TimePoint now);   // moves what is due next to due_; false when there is nothing
  void cascade(std::uint16_t slot);

  std::array<List, levels * slots> wheel_;
  std::array<std::uint64_t, levels> occupied_{};   // a bit for each slot that holds timers
  List due_;   // taken from the wheel, in order of time, not told yet
  TimePoint quiet_until_ = no_deadline;   // nothing is due before
  Tick current_ = 0;
  std::uint64_t armed_ = 0;   // so far
  std::size_t size_ = 0;
};

}   // namespace skerry
