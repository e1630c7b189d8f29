// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

namespace skerry {

// The only source of chance: splitmix64 (Steele, Lea, Flood 2014), the same sequence from the same seed on every machine.
// One core's, never shared.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  // A seed from the operating system; for processes, never for simulation.
  static std::uint64_t system_seed();

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  // Uniform in [0, bound); 0 when bound is 0.
  std::uint64_t below(std::uint64_t bound) {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
  }
  // In [0, 1).
  double fraction() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  bool chance(double probability) { return fraction() < probability; }

 private:
  std::uint64_t state_;
};

}  // namespace skerry
