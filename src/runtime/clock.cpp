// SPDX-License-Identifier: Apache-2.0
#include "runtime/clock.hpp"

#include <random>

#include "runtime/random.hpp"

namespace skerry {

TimePoint SystemClock::now() const { return std::chrono::steady_clock::now(); }

WallTime SystemClock::wall() const { return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()); }

std::uint64_t Random::system_seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

}  // namespace skerry
