// SPDX-License-Identifier: Apache-2.0
#include "node/cli_perf_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/quoting.hpp"

namespace skerry::node {
namespace {

constexpr std::size_t bar_width = 40;

double millis(Duration length) { return std::chrono::duration<double, std::milli>(length).count(); }
double per_second(std::uint64_t count, Duration elapsed) {
  return static_cast<double>(count) / std::max(std::chrono::duration<double>(elapsed).count(), 1e-9);
}

std::string latency_line(const Histogram& latency) {
  return fmt::format("Latency ms: 50% {:5.1f} - 95% {:5.1f} - 99% {:5.1f} - 99.9% {:5.1f} - max {:6.1f}",
                     millis(latency.quantile(0.5)), millis(latency.quantile(0.95)), millis(latency.quantile(0.99)),
                     millis(latency.quantile(0.999)), millis(latency.max()));
}

std::string latency_json(std::string_view name, const Histogram& latency, Duration elapsed) {
  return fmt::format(
      R"("{}":{{"operations":{},"per_second":{:.1f},"mean_ms":{:.4f},"p50_ms":{:.4f},"p95_ms":{:.4f},"p99_ms":{:.4f},"p99.9_ms":{:.4f},"max_ms":{:.4f}}})",
      name, latency.count(), per_second(latency.count(), elapsed), millis(latency.mean()), millis(latency.quantile(0.5)),
      millis(latency.quantile(0.95)), millis(latency.quantile(0.99)), millis(latency.quantile(0.999)), millis(latency.max()));
}

}  // namespace

void PerfFigures::add(const PerfFigures& other) {
  writes.add(other.writes);
  reads.add(other.reads);
  lateness.add(other.lateness);
  failed += other.failed;
  if (!first_failure) first_failure = other.first_failure;
  elapsed += other.elapsed;
}

std::string perf_text(std::string_view title, const PerfFigures& figures) {
  const std::uint64_t all = figures.writes.count() + figures.reads.count();
  return fmt::format(
      "{} - Total ops: {:6.1f} ops/s - Failed ops: {:6.1f} ops/s\n"
      "  Write ops {:6.1f} w/s  {}\n"
      "  Read  ops {:6.1f} r/s  {}\n",
      title, per_second(all, figures.elapsed), per_second(figures.failed, figures.elapsed),
      per_second(figures.writes.count(), figures.elapsed), latency_line(figures.writes),
      per_second(figures.reads.count(), figures.elapsed), latency_line(figures.reads));
}

std::string perf_json(std::string_view kind, const PerfFigures& figures) {
  const std::uint64_t all = figures.writes.count() + figures.reads.count();
  std::string text =
      fmt::format(R"({{"kind":"{}","seconds":{:.3f},"per_second":{:.1f},"failed":{},)", kind,
                  std::chrono::duration<double>(figures.elapsed).count(), per_second(all, figures.elapsed), figures.failed);
  if (figures.first_failure) text += fmt::format("\"first_failure\":{},", json_quoted(figures.first_failure->message()));
  text += latency_json("writes", figures.writes, figures.elapsed) + ",";
  text += latency_json("reads", figures.reads, figures.elapsed);
  return text + fmt::format(",\"lateness_p99_ms\":{:.4f}}}", millis(figures.lateness.quantile(0.99)));
}

std::string perf_histogram(std::string_view title, const Histogram& latency) {
  std::string text = fmt::format("{}\n", title);
  std::uint64_t below = 0;
  for (double decade = 0.1; below < latency.count() && decade < 1e6; decade *= 10) {
    for (const double step : {1.0, 2.0, 5.0}) {
      const double limit = decade * step;
      const std::uint64_t up_to =
          latency.count_up_to(std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(limit)));
      const double share = static_cast<double>(up_to - below) / static_cast<double>(latency.count());
      text += fmt::format("  <= {:<7g} ms {:6.2f}% {}\n", limit, 100 * share,
                          std::string(static_cast<std::size_t>(std::lround(share * bar_width)), '#'));
      below = up_to;
      if (below == latency.count()) break;
    }
  }
  return text;
}

std::string perf_progress(const PerfFigures& figures) {
  const std::uint64_t all = figures.writes.count() + figures.reads.count();
  return fmt::format("{:.0f} ops/s, p99 writes {:.2f} ms, reads {:.2f} ms, {} failed", per_second(all, figures.elapsed),
                     millis(figures.writes.quantile(0.99)), millis(figures.reads.quantile(0.99)), figures.failed);
}

}  // namespace skerry::node
