// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "base/time.hpp"

namespace skerry {

// The seam behind which all time stands. Real in a process, set by hand in tests, jumped by the simulator.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;    // monotonic; for deadlines, leases and measurements
  virtual WallTime wall() const = 0;    // for stamps and people; may jump either way
};

// The machine's clocks. Thread-safe.
class SystemClock final : public Clock {
 public:
  TimePoint now() const override;
  WallTime wall() const override;
};

// Stands still until told. For tests and simulation; one thread.
class ManualClock final : public Clock {
 public:
  TimePoint now() const override { return now_; }
  WallTime wall() const override { return wall_; }
  void advance(Duration by) {
    now_ += by;
    wall_nanos_ += by;
    wall_ = std::chrono::floor<std::chrono::milliseconds>(WallTime{} + wall_nanos_);
  }
  void jump_wall(Duration by) {   // the wall clock alone, either way
    wall_nanos_ += by;
    wall_ = std::chrono::floor<std::chrono::milliseconds>(WallTime{} + wall_nanos_);
  }

 private:
  TimePoint now_{1h};   // not 0, so that "long ago" can be told from "never"
  Duration wall_nanos_{std::chrono::hours{24 * 365 * 50}};
  WallTime wall_ = std::chrono::floor<std::chrono::milliseconds>(WallTime{} + wall_nanos_);
};

}  // namespace skerry
