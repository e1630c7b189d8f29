// SPDX-License-Identifier: Apache-2.0
#include "load/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/random.hpp"

namespace skerry::bench {
namespace {

TEST(Histogram, quantiles_stay_within_a_64th_of_the_exact_ones) {
  Random random(7);
  Histogram histogram;
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 100'000; ++i) {
    values.push_back(random.next() >> (random.below(50) + 10));
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

}  // namespace
}  // namespace skerry::bench
