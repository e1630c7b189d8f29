// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "runtime/tracing.hpp"

namespace skerry::node {

using ResourceAttributes = std::vector<std::pair<std::string, std::string>>;

// Where the monotonic clock stands on the wall's, so that spans get times for people.
struct ClockAnchor {
  TimePoint monotonic;
  WallTime wall;
};

// The body of a request to /v1/traces: OTLP in its JSON form.
std::string otlp_json(const std::vector<Span>& spans, const ResourceAttributes& resource, const ClockAnchor& anchor);

}  // namespace skerry::node
