// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <compare>
#include <cstdint>

namespace skerry {

using namespace std::chrono_literals;

using Duration = std::chrono::nanoseconds;
// A point on the monotonic clock. Deadlines are points, passed down whole.
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;
using Deadline = TimePoint;
constexpr Deadline no_deadline = TimePoint::max();
// A point on the wall clock, as stored and shown: milliseconds since the epoch.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

// The platform's hybrid time: milliseconds since the epoch << 20 | counter. Totally ordered, readable by people,
// and a million stamps fit in a millisecond.
class Stamp {
 public:
  static constexpr int counter_bits = 20;
  constexpr Stamp() = default;
  constexpr explicit Stamp(std::uint64_t value) : value_(value) {}
  static constexpr Stamp at(WallTime time) {
    return Stamp(static_cast<std::uint64_t>(time.time_since_epoch().count()) << counter_bits);
  }
  constexpr std::uint64_t value() const { return value_; }
  constexpr std::uint64_t millis() const { return value_ >> counter_bits; }
  constexpr WallTime wall() const { return WallTime(std::chrono::milliseconds(millis())); }
  // The first stamp that is both above this one and not before `now`.
  constexpr Stamp after(WallTime now) const {
    const Stamp clock = at(now);
    return clock.value_ > value_ ? clock : Stamp(value_ + 1);
  }
  friend constexpr auto operator<=>(const Stamp&, const Stamp&) = default;

 private:
  std::uint64_t value_ = 0;
};

}  // namespace skerry
