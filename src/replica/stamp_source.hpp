// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "base/result.hpp"
#include "base/time.hpp"

namespace skerry::replica {

// Gives entries their stamps: strictly increasing, near the wall clock, and never far ahead of it by one bad reading, since a
// stamp once logged can't be taken back and everything after it must be above. Pure.
class StampSource {
 public:
  StampSource(WallTime wall, TimePoint now) : wall_(wall), now_(now) {}

  // The first stamp above `last` that is not before the clock. Fails with clock_jumped while the wall clock is more than
  // limits::clock_jump_max ahead of its highest trusted reading plus the time that has passed since.
  Result<Stamp> next(Stamp last, WallTime wall, TimePoint now);

 private:
  WallTime wall_;   // the trusted reading that is furthest ahead, and when it was made
  TimePoint now_;
};

}  // namespace skerry::replica
