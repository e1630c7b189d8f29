// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <bit>
#include <cstdint>

#include "runtime/random.hpp"

namespace skerry::bench {

// The numbers below `count`, each once, in random order, and no list of them: a Feistel network of a few rounds over the next
// power of four is a permutation of it, walked on from where it leaves the range.
class Shuffle {
 public:
  Shuffle(std::uint64_t count, std::uint64_t seed)
      : count_(count), half_bits_((static_cast<std::uint64_t>(std::bit_width(count - 1)) + 1) / 2),
        half_mask_((1ULL << half_bits_) - 1), seed_(seed) {}

  std::uint64_t at(std::uint64_t position) const {
    do position = permuted(position);
    while (position >= count_);
    return position;
  }

 private:
  std::uint64_t permuted(std::uint64_t number) const {
    constexpr std::uint64_t rounds = 4;
    std::uint64_t left = number >> half_bits_, right = number & half_mask_;
    for (std::uint64_t round = 0; round < rounds; ++round) {
      const std::uint64_t mixed = left ^ (Random(seed_ ^ right << 8 ^ round).next() & half_mask_);
      left = right;
      right = mixed;
    }
    return left << half_bits_ | right;
  }

  std::uint64_t count_;
  std::uint64_t half_bits_;
  std::uint64_t half_mask_, seed_;
};

}  // namespace skerry::bench
