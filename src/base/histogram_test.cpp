// SPDX-License-Identifier: Apache-2.0
#include "base/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace skerry {
namespace {

TEST(Histogram, quantiles_stay_within_a_64th_of_the_exact_ones) {
  std::uint64_t state = 7;   // a linear congruential generator: base knows none of runtime's
  const auto random = [&state] { return state = state * 6364136223846793005ULL + 1442695040888963407ULL; };
  Histogram histogram;
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 100'000; ++i) {
    values.push_back(random() >> ((random() >> 33) % 50 + 10));
    histogram.add(Duration(values.back()));
  }
  std::ranges::sort(values);
  for (const double fraction : {0.001, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto exact = static_cast<double>(values[static_cast<std::size_t>(fraction * 100'000 + 0.999999) - 1]);
    const auto found = static_cast<double>(histogram.quantile(fraction).count());
    EXPECT_GE(found, exact) << fraction;
    EXPECT_LE(found, exact * (1 + 1.0 / 32) + 1) << fraction;
  }
}

TEST(Histogram, small_values_are_exact) {
  Histogram histogram;
  for (int i = 1; i <= 100; ++i) histogram.add(Duration(i));
  EXPECT_EQ(histogram.quantile(0.5), 50ns);
  EXPECT_EQ(histogram.quantile(0.99), 99ns);
  EXPECT_EQ(histogram.max(), 100ns);
}

TEST(Histogram, sums_up_and_counts_below_a_limit) {
  Histogram one, other;
  for (int i = 1; i <= 50; ++i) one.add(Duration(i));
  for (int i = 51; i <= 100; ++i) other.add(Duration(i));
  one.add(other);
  EXPECT_EQ(one.count(), 100U);
  EXPECT_EQ(one.quantile(0.5), 50ns);
  EXPECT_EQ(one.count_up_to(30ns), 30U);
  EXPECT_EQ(one.count_up_to(1s), 100U);
  one.clear();
  EXPECT_EQ(one.count(), 0U);
}

}  // namespace
}  // namespace skerry
