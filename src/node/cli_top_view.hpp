// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

// From the text of /metrics to what `skerry top` shows. Pure.
namespace skerry::node {

// One line of Prometheus's text format.
struct Sample {
  std::string name;
  std::map<std::string, std::string> labels;
  double value = 0;
};
// Fails with invalid_argument when a line is no sample, and says which.
Result<std::vector<Sample>> parse_metrics(std::string_view text);

struct TopMethod {
  std::string name;          // without its package
  double per_second = 0;     // calls that ended
  double p50_ms = 0, p99_ms = 0;
};
struct TopShard {
  std::string name_space;
  std::int64_t shard = 0;
  double puts = 0, deletes = 0, gets = 0, walks = 0, logged_bytes = 0;   // a second
  double commit = 0, in_flight = 0, sessions = 0, followers = 0;
};
struct TopCore {
  std::string core;
  double busy = 0;           // share of the time, 0 to 1
  double stalls = 0;         // turns above the stall limit, since the start
};
struct TopView {
  double uptime_seconds = 0, resident_bytes = 0, cpu = 0, descriptors = 0;   // cpu in processors: 1.5 is one and a half
  double puts = 0, deletes = 0, gets = 0, walks = 0, logged_bytes = 0;   // a second, of all shards
  double calls_running = 0;
  std::vector<TopCore> cores;
  std::vector<TopMethod> methods;   // that were called meanwhile, the most called first
  std::vector<TopShard> shards;     // by namespace and number
};
// What happened between two readings of one process. Requires: apart > 0.
TopView compare(const std::vector<Sample>& before, const std::vector<Sample>& after, Duration apart, double now_seconds);

// Where a coordinator whose metrics these are answers admin tools; nothing: they are no coordinator's. One that listens
// everywhere is reached at `host`.
std::optional<std::string> coordinator_in(const std::vector<Sample>& samples, const std::string& host);

// Fits `lines` of a terminal; what does not is counted in the last one.
std::string top_text(const TopView& view, std::string_view address, std::size_t lines);
std::string top_json(const TopView& view);

}   // namespace skerry::node
