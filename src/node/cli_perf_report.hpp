// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/histogram.hpp"
#include "base/result.hpp"

// What `skerry perf` has counted, and how it tells it. Pure.
namespace skerry::node {

struct PerfFigures {
  Histogram writes, reads;       // of operations that succeeded, from when each was due (or sent, in the closed loop)
  Histogram lateness;            // how late operations were sent: where this is not small, the generator is what was measured
  std::uint64_t failed = 0;
  std::optional<Error> first_failure;   // when one failed
  Duration elapsed{};

  void add(const PerfFigures& other);
};

// Three lines, as `oxia perf` prints them; `title` begins the first.
std::string perf_text(std::string_view title, const PerfFigures& figures);
// One object on one line; `kind` is "interval" or "total".
std::string perf_json(std::string_view kind, const PerfFigures& figures);
// Shares of what was answered within 0.1, 0.2, 0.5, 1, … ms, a line each.
std::string perf_histogram(std::string_view title, const Histogram& latency);
// For a terminal, while it runs; without the end of the line.
std::string perf_progress(const PerfFigures& figures);

}  // namespace skerry::node
