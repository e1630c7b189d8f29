// SPDX-License-Identifier: Apache-2.0
#include "runtime/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/cores.hpp"
#include "runtime/task_scope.hpp"

namespace skerry {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Buckets, hold_oxias_bounds_exactly) {
  const auto latencies = buckets::latency_millis();
  EXPECT_EQ(latencies.size(), 18U);
  EXPECT_EQ(std::vector<double>(latencies.begin(), latencies.begin() + 5), (std::vector<double>{0.1, 0.2, 0.5, 1, 2}));
  EXPECT_EQ(latencies.back(), 50'000);
  EXPECT_EQ(buckets::sizes().front(), 16);
  EXPECT_EQ(buckets::sizes().back(), 8 << 20);
  EXPECT_EQ(buckets::counts().back(), 1e6);
}

TEST(Metrics, are_exported_with_core_and_own_labels) {
  MetricsRegistry registry(2);
  const Counter puts0 = registry.core(CoreId{0}).counter("puts_total", "Puts.", {{"shard", "1"}});
  const Counter puts1 = registry.core(CoreId{1}).counter("puts_total", "Puts.", {{"shard", "a\"b\n"}});
  const Gauge leaders = registry.process().gauge("leaders", "Leaders.");
  puts0.add(3);
  puts1.add();
  leaders.set(-1.5);
  const std::string text = registry.text();
  EXPECT_THAT(
      text,
      HasSubstr(
          "# TYPE puts_total counter\nputs_total{core=\"0\",shard=\"1\"} 3\nputs_total{core=\"1\",shard=\"a\\\"b\\n\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("leaders -1.5\n"));
}

TEST(Metrics, histograms_are_cumulative_and_bounds_inclusive) {
  MetricsRegistry registry(1);
  const Histogram sizes = registry.core(CoreId{0}).histogram("size", "Sizes.", {1, 2, 5});
  for (const double value : {0.5, 1.0, 1.5, 5.0, 6.0}) sizes.observe(value);
  const std::string text = registry.text();
  EXPECT_THAT(text, HasSubstr("size_count{core=\"0\"} 5\nsize_sum{core=\"0\"} 14\n"));
  EXPECT_THAT(text, HasSubstr("le=\"1\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("le=\"2\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("le=\"5\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("le=\"+Inf\"} 5\n"));
}

TEST(Metrics, a_series_goes_with_its_last_handle_and_the_same_labels_are_the_same_series) {
  MetricsRegistry registry(1);
  Metrics& metrics = registry.core(CoreId{0});
  const Counter kept = metrics.counter("puts_total", "Puts.", {{"shard", "1"}});
  {
    const Counter same = metrics.counter("puts_total", "Puts.", {{"shard", "1"}});
    const Counter gone = metrics.counter("puts_total", "Puts.", {{"shard", "2"}});
    same.add();
    gone.add();
    EXPECT_THAT(registry.text(), HasSubstr("shard=\"2\""));
  }
  EXPECT_EQ(kept.value(), 1U);
  EXPECT_THAT(registry.text(), HasSubstr("shard=\"1\""));
  EXPECT_THAT(registry.text(), Not(HasSubstr("shard=\"2\"")));
}

TEST(Metrics, empty_handles_swallow_what_they_get) {
  Counter().add();
  Gauge().set(1);
  Histogram().observe(1);
  EXPECT_EQ(Counter().value(), 0U);
}

struct Depth final : Collector {
  explicit Depth(Metrics& metrics) : depth(metrics.gauge("depth", "Depth.")) { metrics.add(*this); }
  void collect() override { depth.set(++calls); }
  Gauge depth;
  int calls = 0;
};
Task<> collect(MetricsRegistry& registry, Cores& cores, std::string& into) { into = co_await registry.collect_text(cores); }

TEST(Metrics, collectors_run_on_their_core_when_figures_are_asked_for) {
  ManualClock clock;
  Cores cores(2, clock, 1);
  TaskScope tasks(cores.core(CoreId{0}));
  MetricsRegistry registry(2);
  std::string text;
  {
    const Depth depth(registry.core(CoreId{1}));
    tasks.spawn(collect(registry, cores, text));
    while (cores.core(CoreId{0}).run_turn() || cores.core(CoreId{1}).run_turn()) {}
    EXPECT_THAT(text, HasSubstr("depth{core=\"1\"} 1\n"));
  }
  tasks.spawn(collect(registry, cores, text));
  while (cores.core(CoreId{0}).run_turn() || cores.core(CoreId{1}).run_turn()) {}
  EXPECT_THAT(text, Not(HasSubstr("depth")));
}

}  // namespace
}  // namespace skerry
