// SPDX-License-Identifier: Apache-2.0
#include "runtime/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <array>

#include "base/assert.hpp"
#include "runtime/cores.hpp"
#include "runtime/join.hpp"

namespace skerry {
namespace {

prometheus::MetricType prometheus_type(int kind) {
  static constexpr std::array types = {prometheus::MetricType::Counter, prometheus::MetricType::Gauge,
                                       prometheus::MetricType::Histogram};
  return types[static_cast<std::size_t>(kind)];
}

prometheus::ClientMetric::Histogram cumulative(const detail::HistogramCell& cell) {
  prometheus::ClientMetric::Histogram out;
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < cell.counts.size(); ++i) {
    total += cell.counts[i].load(std::memory_order_relaxed);
    const double bound = i < cell.bounds.size() ? cell.bounds[i] : std::numeric_limits<double>::infinity();
    out.bucket.push_back({total, bound});
  }
  out.sample_count = total;   // so that it always equals the +Inf bucket
  out.sample_sum = cell.sum.load(std::memory_order_relaxed);
  return out;
}

void collect_on_core(Metrics* metrics) { metrics->collect(); }

}  // namespace

namespace buckets {

std::vector<double> one_two_five(double first, double last) {
  std::vector<double> bounds;
  // Counted up from whole numbers, so that 0.2 is the nearest double to 0.2 and prints as such.
  for (double scale = 1;; scale *= 10) {
    for (const int step : {1, 2, 5}) {
      const double bound = first < 1 ? step * scale / (1 / first) : step * scale * first;
      if (bound > last) return bounds;
      bounds.push_back(bound);
    }
  }
}

std::vector<double> powers_of_two(double first, double last) {
  std::vector<double> bounds;
  for (double bound = first; bound <= last; bound *= 2) bounds.push_back(bound);
  return bounds;
}

}  // namespace buckets

Metrics::Series& Metrics::series(const std::string& name, const std::string& help, Kind kind, Labels labels) {
  Family& family = families_.try_emplace(name, Family{kind, help, {}}).first->second;
  SKERRY_ASSERT(family.kind == kind);
  for (Series& each : family.series) {
    if (each.labels == labels) return each;
  }
  return family.series.emplace_back(Series{std::move(labels), nullptr, nullptr});
}

Counter Metrics::counter(const std::string& name, const std::string& help, Labels labels) {
  const std::lock_guard lock(mutex_);
  auto& cell = series(name, help, Kind::counter, std::move(labels)).cell;
  if (!cell) cell = std::make_shared<detail::MetricCell>();
  return Counter(cell);
}

Gauge Metrics::gauge(const std::string& name, const std::string& help, Labels labels) {
  const std::lock_guard lock(mutex_);
  auto& cell = series(name, help, Kind::gauge, std::move(labels)).cell;
  if (!cell) cell = std::make_shared<detail::MetricCell>();
  return Gauge(cell);
}

Histogram Metrics::histogram(const std::string& name, const std::string& help, const std::vector<double>& bounds, Labels labels) {
  const std::lock_guard lock(mutex_);
  auto& cell = series(name, help, Kind::histogram, std::move(labels)).histogram;
  if (!cell) cell = std::make_shared<detail::HistogramCell>(bounds);
  SKERRY_ASSERT(cell->bounds == bounds);
  return Histogram(cell);
}

void Metrics::collect() {
  for (Collector& each : collectors_) each.collect();
}

MetricsRegistry::MetricsRegistry(std::size_t cores) : process_(new Metrics({})) {
  for (std::size_t i = 0; i < cores; ++i) cores_.emplace_back(new Metrics({{"core", std::to_string(i)}}));
}

MetricsRegistry::~MetricsRegistry() = default;

std::string MetricsRegistry::text() {
  std::map<std::string, prometheus::MetricFamily> families;
  const auto add = [&families](Metrics& metrics) {
    const std::lock_guard lock(metrics.mutex_);
    for (auto& [name, family] : metrics.families_) {
      // Nobody but us holds it: its owner is gone. Who asks for it now waits for the lock.
      std::erase_if(family.series,
                    [](const Metrics::Series& series) { return series.cell.use_count() + series.histogram.use_count() == 1; });
      if (family.series.empty()) continue;
      auto& out = families[name];
      out.name = name;
      out.help = family.help;
      out.type = prometheus_type(static_cast<int>(family.kind));
      for (const Metrics::Series& series : family.series) {
        prometheus::ClientMetric metric;
        for (const auto* labels : {&metrics.fixed_, &series.labels}) {
          for (const auto& [key, value] : *labels) metric.label.push_back({key, value});
        }
        switch (family.kind) {
          case Metrics::Kind::counter:
            metric.counter.value = static_cast<double>(series.cell->count.load(std::memory_order_relaxed)) +
                                   series.cell->gauge.load(std::memory_order_relaxed);   // only one of the two is used
            break;
          case Metrics::Kind::gauge: metric.gauge.value = series.cell->gauge.load(std::memory_order_relaxed); break;
          case Metrics::Kind::histogram: metric.histogram = cumulative(*series.histogram); break;
        }
        out.metric.push_back(std::move(metric));
      }
    }
  };
  add(*process_);
  for (const auto& metrics : cores_) add(*metrics);
  std::vector<prometheus::MetricFamily> sorted;
  for (auto& [name, family] : families) sorted.push_back(std::move(family));
  return prometheus::TextSerializer().Serialize(sorted);
}

Task<std::string> MetricsRegistry::collect_text(Cores& cores) {
  co_await cores.call(CoreId{0}, &collect_on_core, process_.get());
  std::vector<Task<>> calls;
  for (std::size_t i = 0; i < cores_.size(); ++i) {
    calls.push_back(cores.call(CoreId(static_cast<std::uint32_t>(i)), &collect_on_core, cores_[i].get()));
  }
  co_await run_all(Core::of(co_await asio::this_coro::executor), std::move(calls));
  co_return text();
}

}  // namespace skerry
