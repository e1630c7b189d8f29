// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>

#include "base/time.hpp"
#include "runtime/random.hpp"

namespace skerry::sim {

// What messages, clocks, disks and processes suffer in a run in which cores talk message by message. What each is comes from the
// seed.
struct Troubles {
  Duration chaos = 3s;
  double lost = 0, doubled = 0, late = 0;   // of messages
  Duration delay_max = 1ms, lateness_max = 200ms;
  Duration partition_every = 0s, crash_every = 0s, pause_every = 0s, slow_disk_every = 0s;   // 0: never
  bool one_way = false;   // partitions
  double restarts_at_once = 0.5;   // of crashes
  bool clocks_differ = false;
  double bad_moments = 0;   // crashes and silences just when one has said something that counts
  Duration write_every = 4ms;
};

template <class Value, std::size_t count>
Value one_of(Random& random, const Value (&values)[count]) {
  return values[random.below(count)];
}

// Of a clock against true time, in millionths; two of them differ by less than 5 %.
inline int clock_error(const Troubles& troubles, Random& random) {
  if (!troubles.clocks_differ) return 0;
  constexpr int extreme = 24'300;
  const int errors[] = {-extreme, extreme, static_cast<int>(random.below(2 * extreme)) - extreme};
  return errors[random.below(3)];
}

}   // namespace skerry::sim
