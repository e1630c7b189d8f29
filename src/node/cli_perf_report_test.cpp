// SPDX-License-Identifier: Apache-2.0
#include "node/cli_perf_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace skerry::node {
namespace {

using testing::HasSubstr;

PerfFigures figures() {
  PerfFigures figures;
  for (int i = 0; i < 90; ++i) figures.writes.add(1ms);
  for (int i = 0; i < 10; ++i) figures.writes.add(20ms);
  figures.failed = 3;
  figures.first_failure = Error{Errc::resource_exhausted, "it was \"full\""};
  figures.elapsed = 2s;
  return figures;
}

TEST(PerfReport, has_the_lines_of_its_model) {
  const std::string text = perf_text("Stats", figures());
  EXPECT_THAT(text, HasSubstr("Stats - Total ops:   50.0 ops/s - Failed ops:    1.5 ops/s\n"));
  EXPECT_THAT(text, HasSubstr("Write ops   50.0 w/s  Latency ms: 50%   1.0 - 95%"));
  EXPECT_THAT(text, HasSubstr("Read  ops    0.0 r/s"));
}

TEST(PerfReport, is_json_for_scripts) {
  boost::system::error_code error;
  const auto parsed = boost::json::parse(perf_json("total", figures()), error);
  ASSERT_FALSE(error) << error.message();
  EXPECT_EQ(parsed.at("kind"), "total");
  EXPECT_EQ(parsed.at("writes").at("operations").to_number<int>(), 100);
  EXPECT_NEAR(parsed.at("writes").at("p99_ms").to_number<double>(), 20, 1);
  EXPECT_EQ(parsed.at("first_failure"), "it was \"full\"");
}

TEST(PerfReport, draws_shares_that_sum_up) {
  const std::string text = perf_histogram("Writes", figures().writes);
  EXPECT_THAT(text, HasSubstr("<= 2       ms  90.00%"));
  EXPECT_THAT(text, HasSubstr("<= 50      ms  10.00%"));
  EXPECT_EQ(perf_histogram("Nothing", Histogram()), "Nothing\n");
}

TEST(PerfFigures, of_several_intervals_are_one) {
  PerfFigures total;
  total.add(figures());
  total.add(figures());
  EXPECT_EQ(total.writes.count(), 200U);
  EXPECT_EQ(total.elapsed, 4s);
  EXPECT_EQ(total.failed, 6U);
}

}  // namespace
}  // namespace skerry::node
