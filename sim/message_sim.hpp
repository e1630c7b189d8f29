// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <fmt/format.h>

#include <functional>

#include "sim/replicas/oracle.hpp"
#include "sim/schedule.hpp"
#include "sim/trace.hpp"
#include "sim/troubles.hpp"

namespace skerry::sim {

// What runs of cores that talk message by message have in common: chance, true time, the trace, an oracle, and troubles until
// all heals.
class MessageSim {
 protected:
  MessageSim(std::uint64_t seed, Trace::Print print) : random_(seed * 0x9E3779B97F4A7C15ULL + 1), trace_(print) {}
  ~MessageSim() = default;

  // On average, until faults stop.
  void every(Duration length, std::function<void()> what) {
    if (length <= Duration()) return;
    schedule_.after(Duration(random_.below(2 * static_cast<std::uint64_t>(length.count()))),
                    [this, length, what = std::move(what)] {
                      if (healed_) return;
                      what();
                      every(length, what);
                    });
  }

  void run_until(Oracle& oracle, TimePoint when) {
    while (oracle.failure().empty() && schedule_.step(when)) ++events_;
    if (schedule_.now() < when && oracle.failure().empty()) schedule_.pass_to(when);
  }

  void note(const char* what, std::uint64_t number) {
    trace_.note(schedule_.now(), number, [&] { return fmt::format("{} {}", what, number); });
  }

  // Of what is up; it starts again later.
  template <class Process>
  void crash(Process& process, Duration away) {
    if (!process.up()) return;
    process.crash();
    ++crashes_;
    note("crash", process.number());
    schedule_.after(away, [this, &process] {
      if (process.up()) return;
      note("start", process.number());
      process.boot();
    });
  }

  Random random_;
  Trace trace_;
  Schedule schedule_;
  bool healed_ = false;
  std::uint64_t events_ = 0, crashes_ = 0;
};

}   // namespace skerry::sim
