// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "base/time.hpp"

namespace skerry {

// Counts of durations in buckets whose width grows with the value, as HdrHistogram does it (Tene, 2012): every value is kept
// within 1/64 of itself, from a nanosecond to hours, in a few thousand counters.
class Histogram {
 public:
  void add(Duration value) {
    const auto nanos = static_cast<std::uint64_t>(std::max<Duration::rep>(value.count(), 0));
    ++counts_[index(nanos)];
    ++count_;
    sum_ += nanos;
    max_ = std::max(max_, nanos);
  }

  void add(const Histogram& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
    sum_ += other.sum_;
    max_ = std::max(max_, other.max_);
  }
  void clear() { *this = Histogram(); }

  std::uint64_t count() const { return count_; }
  Duration max() const { return Duration(max_); }
  Duration mean() const { return Duration(count_ == 0 ? 0 : sum_ / count_); }

  // The smallest value with at least `fraction` of all values at or below it, within the bucket's width, rounded up.
  Duration quantile(double fraction) const {
    const auto wanted = static_cast<std::uint64_t>(fraction * static_cast<double>(count_) + 0.999999);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen >= wanted && counts_[i] != 0) return Duration(std::min(upper_bound(i), max_));
    }
    return max();
  }

  // How many values are at or below `limit`, within the width of its bucket.
  std::uint64_t count_up_to(Duration limit) const {
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size() && upper_bound(i) <= static_cast<std::uint64_t>(limit.count()); ++i)
      seen += counts_[i];
    return seen;
  }

 private:
  static constexpr int precision_bits = 6;   // 64 buckets for each doubling
  static constexpr std::uint64_t linear = 1U << (precision_bits + 1);

  // Below `linear` one bucket a value; above, the top precision_bits + 1 bits choose the bucket.
  static std::size_t index(std::uint64_t value) {
    if (value < linear) return value;
    const int shift = static_cast<int>(std::bit_width(value)) - (precision_bits + 1);
    return static_cast<std::size_t>(shift) * (linear / 2) + (value >> shift);
  }
  static std::uint64_t upper_bound(std::size_t i) {
    if (i < linear) return i;
    const std::size_t shift = i / (linear / 2) - 1;
    const std::uint64_t top = i - shift * (linear / 2);
    return ((top + 1) << shift) - 1;
  }

  std::vector<std::uint64_t> counts_ = std::vector<std::uint64_t>((64 - precision_bits) * (linear / 2) + linear);
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace skerry
