// SPDX-License-Identifier: Apache-2.0
#include "node/cli_top_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/bytes.hpp"
#include "net/stream.hpp"
#include "node/cli_admin_output.hpp"
#include "runtime/quoting.hpp"

namespace skerry::node {
namespace {

constexpr std::string_view handling = "grpc_server_handling_milliseconds_bucket";

// name="value",… up to and with the closing brace. False when it is malformed.
bool take_labels(std::string_view& rest, std::map<std::string, std::string>& labels) {
  while (!rest.starts_with('}')) {
    const std::size_t equals = rest.find("=\"");
    if (equals == std::string_view::npos) return false;
    std::string& value = labels[std::string(rest.substr(0, equals))];
    rest.remove_prefix(equals + 2);
    for (; !rest.empty() && rest.front() != '"'; rest.remove_prefix(1)) {
      const bool escaped = rest.front() == '\\' && rest.size() > 1;
      if (escaped) rest.remove_prefix(1);
      value += escaped && rest.front() == 'n' ? '\n' : rest.front();
    }
    if (rest.empty()) return false;
    rest.remove_prefix(1);
    if (rest.starts_with(',')) rest.remove_prefix(1);
    if (rest.empty()) return false;
  }
  rest.remove_prefix(1);
  return true;
}

std::optional<double> parse_value(std::string_view text) {
  if (text == "+Inf") return std::numeric_limits<double>::infinity();
  if (text == "-Inf") return -std::numeric_limits<double>::infinity();
  if (text == "NaN" || text == "Nan") return std::numeric_limits<double>::quiet_NaN();
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

std::optional<Sample> parse_sample(std::string_view line) {
  Sample sample;
  const std::size_t end = line.find_first_of("{ ");
  if (end == std::string_view::npos || end == 0) return std::nullopt;
  sample.name = line.substr(0, end);
  std::string_view rest = line.substr(end);
  if (rest.starts_with('{')) {
    rest.remove_prefix(1);
    if (!take_labels(rest, sample.labels)) return std::nullopt;
  }
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  const auto value = parse_value(rest.substr(0, rest.find(' ')));
  if (!value) return std::nullopt;
  sample.value = *value;
  return sample;
}

std::string label(const Sample& sample, const std::string& name) {
  const auto found = sample.labels.find(name);
  return found == sample.labels.end() ? std::string() : found->second;
}

using Key = std::pair<std::string, std::map<std::string, std::string>>;

// The samples of two readings, side by side.
class Readings {
 public:
  Readings(const std::vector<Sample>& before, const std::vector<Sample>& after, Duration apart)
      : after_(after), seconds_(std::chrono::duration<double>(apart).count()) {
    for (const Sample& sample : before) before_[{sample.name, sample.labels}] = sample.value;
  }
  const std::vector<Sample>& samples() const { return after_; }
  double seconds() const { return seconds_; }
  // How much a counter has risen; all of it when the process has started anew or the series is new.
  double risen(const Sample& sample) const {
    const auto found = before_.find({sample.name, sample.labels});
    const double was = found == before_.end() || found->second > sample.value ? 0 : found->second;
    return sample.value - was;
  }
  double rate(const Sample& sample) const { return risen(sample) / seconds_; }

 private:
  std::map<Key, double> before_;
  const std::vector<Sample>& after_;
  double seconds_;
};

void add_process(TopView& view, const Readings& readings, double now_seconds) {
  std::map<std::string, TopCore> cores;
  for (const Sample& sample : readings.samples()) {
    if (sample.name == "process_resident_memory_bytes") view.resident_bytes = sample.value;
    if (sample.name == "process_open_fds") view.descriptors = sample.value;
    if (sample.name == "process_cpu_seconds_total") view.cpu = readings.rate(sample);
    if (sample.name == "process_start_time_seconds") view.uptime_seconds = std::max(now_seconds - sample.value, 0.0);
    if (sample.name == "skerry_rpc_calls_running") view.calls_running += sample.value;
    TopCore* core = sample.name.starts_with("skerry_loop_") ? &cores[label(sample, "core")] : nullptr;
    if (sample.name == "skerry_loop_busy_seconds_total") core->busy = std::min(readings.rate(sample), 1.0);
    if (sample.name == "skerry_loop_stalls_total") core->stalls = sample.value;
  }
  for (auto& [name, core] : cores) {
    core.core = name;
    view.cores.push_back(core);
  }
}

// The upper bound of the bucket in which the quantile lies, as dashboards read it.
double quantile(const std::map<double, double>& buckets, double fraction) {
  const double wanted = fraction * buckets.rbegin()->second;
  double last_finite = 0;
  for (const auto& [bound, count] : buckets) {
    if (std::isfinite(bound)) last_finite = bound;
    if (count >= wanted) return last_finite;
  }
  return last_finite;
}

void add_methods(TopView& view, const Readings& readings) {
  std::map<std::string, std::map<double, double>> methods;   // risen, cumulative, by upper bound
  for (const Sample& sample : readings.samples()) {
    if (sample.name != handling) continue;
    const std::string service = label(sample, "grpc_service");
    const std::string name = service.substr(service.rfind('.') + 1) + "/" + label(sample, "grpc_method");
    methods[name][parse_value(label(sample, "le")).value_or(0)] += readings.risen(sample);
  }
  for (const auto& [name, buckets] : methods) {
    const double calls = buckets.rbegin()->second;
    if (calls <= 0) continue;
    view.methods.push_back({name, calls / readings.seconds(), quantile(buckets, 0.5), quantile(buckets, 0.99)});
  }
  std::ranges::sort(view.methods, [](const TopMethod& a, const TopMethod& b) {
    return a.per_second != b.per_second ? a.per_second > b.per_second : a.name < b.name;
  });
}

void add_to(TopShard& shard, const Sample& sample, const Readings& readings) {
  const std::string& name = sample.name;
  if (name == "oxia_server_db_puts_total") shard.puts += readings.rate(sample);
  if (name == "oxia_server_db_deletes_total" || name == "oxia_server_db_delete_ranges_total")
    shard.deletes += readings.rate(sample);
  if (name == "oxia_server_db_gets_total") shard.gets += readings.rate(sample);
  if (name == "oxia_server_db_lists_total" || name == "oxia_server_db_range_scans_total") shard.walks += readings.rate(sample);
  if (name == "oxia_server_wal_append_bytes_total") shard.logged_bytes += readings.rate(sample);
  if (name == "oxia_server_leader_commit_offset") shard.commit = sample.value;
  if (name == "skerry_shard_entries_in_flight") shard.in_flight = sample.value;
  if (name == "oxia_server_session_active") shard.sessions = sample.value;
  if (name == "skerry_shard_followers") shard.followers = sample.value;
}

void add_shards(TopView& view, const Readings& readings) {
  std::map<std::pair<std::string, std::int64_t>, TopShard> shards;
  for (const Sample& sample : readings.samples()) {
    const std::string number = label(sample, "shard");
    if (number.empty()) continue;
    TopShard& shard = shards[{label(sample, "oxia_namespace"), static_cast<std::int64_t>(parse_value(number).value_or(-1))}];
    add_to(shard, sample, readings);
  }
  for (auto& [key, shard] : shards) {
    shard.name_space = key.first;
    shard.shard = key.second;
    view.puts += shard.puts;
    view.deletes += shard.deletes;
    view.gets += shard.gets;
    view.walks += shard.walks;
    view.logged_bytes += shard.logged_bytes;
    view.shards.push_back(shard);
  }
}

std::string mebibytes_of(double bytes) { return fmt::format("{:.1f}", bytes / (1 << 20)); }
std::string whole(double value) { return fmt::format("{:.0f}", value); }

std::string uptime_text(double seconds) {
  const auto total = static_cast<std::int64_t>(seconds);
  return fmt::format("{}d {:02}:{:02}:{:02}", total / 86400, total / 3600 % 24, total / 60 % 60, total % 60);
}

}  // namespace

Result<std::vector<Sample>> parse_metrics(std::string_view text) {
  std::vector<Sample> samples;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with('#')) continue;
    auto sample = parse_sample(line);
    if (!sample) return fail(Errc::invalid_argument, fmt::format("not a line of Prometheus's text format: {}", printable(line)));
    samples.push_back(*std::move(sample));
  }
  return samples;
}

TopView compare(const std::vector<Sample>& before, const std::vector<Sample>& after, Duration apart, double now_seconds) {
  const Readings readings(before, after, apart);
  TopView view;
  add_process(view, readings, now_seconds);
  add_methods(view, readings);
  add_shards(view, readings);
  return view;
}

std::optional<std::string> coordinator_in(const std::vector<Sample>& samples, const std::string& host) {
  const auto found = std::ranges::find(samples, "skerry_coordinator_in_office", &Sample::name);
  if (found == samples.end()) return std::nullopt;
  auto address = net::Address::parse(label(*found, "address"));
  if (!address) return std::nullopt;
  if (address->host.empty() || address->host == "0.0.0.0" || address->host == "::") address->host = host;
  return address->text();
}

std::string top_text(const TopView& view, std::string_view address, std::size_t lines) {
  std::string text = fmt::format("skerry at {}   up {}   memory {} MiB   cpu {:.2f}   descriptors {}   calls running {}\n",
                                 address, uptime_text(view.uptime_seconds), mebibytes_of(view.resident_bytes), view.cpu,
                                 whole(view.descriptors), whole(view.calls_running));
  text += fmt::format("a second: {} puts   {} deletes   {} gets   {} lists and scans   {} MiB logged\n", whole(view.puts),
                      whole(view.deletes), whole(view.gets), whole(view.walks), mebibytes_of(view.logged_bytes));
  text += "cores busy:";
  for (const TopCore& core : view.cores) {
    text += fmt::format("  {}: {:.0f}%{}", core.core, 100 * core.busy,
                        core.stalls > 0 ? fmt::format(" ({:.0f} stalls)", core.stalls) : "");
  }
  text += "\n\n";
  std::vector<std::vector<std::string>> rows{{"METHOD", "CALLS/S", "P50 MS", "P99 MS"}};
  for (const TopMethod& method : view.methods) {
    rows.push_back({method.name, fmt::format("{:.1f}", method.per_second), fmt::format("<={:g}", method.p50_ms),
                    fmt::format("<={:g}", method.p99_ms)});
  }
  text += table_text(rows) + "\n";
  rows = {{"NAMESPACE", "SHARD", "PUTS/S", "DELETES/S", "GETS/S", "WALKS/S", "LOG MiB/S", "COMMIT", "IN FLIGHT", "SESSIONS",
           "FOLLOWERS"}};
  const std::size_t used = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 2;
  const std::size_t room = lines > used ? lines - used : 0;
  for (const TopShard& shard : view.shards) {
    if (rows.size() > room) break;
    rows.push_back({shard.name_space, fmt::to_string(shard.shard), whole(shard.puts), whole(shard.deletes), whole(shard.gets),
                    whole(shard.walks), mebibytes_of(shard.logged_bytes), whole(shard.commit), whole(shard.in_flight),
                    whole(shard.sessions), whole(shard.followers)});
  }
  text += table_text(rows);
  if (rows.size() <= view.shards.size()) text += fmt::format("… and {} shards more\n", view.shards.size() + 1 - rows.size());
  return text;
}

std::string top_json(const TopView& view) {
  std::string text = fmt::format(
      R"({{"uptime_seconds":{:.0f},"resident_bytes":{:.0f},"cpu":{:.3f},"descriptors":{:.0f},"calls_running":{:.0f},)"
      R"("puts_per_second":{:.1f},"deletes_per_second":{:.1f},"gets_per_second":{:.1f},"walks_per_second":{:.1f},"logged_bytes_per_second":{:.0f},)",
      view.uptime_seconds, view.resident_bytes, view.cpu, view.descriptors, view.calls_running, view.puts, view.deletes,
      view.gets, view.walks, view.logged_bytes);
  const char* separator = "\"cores\":[";
  for (const TopCore& core : view.cores) {
    text += fmt::format(R"({}{{"core":{},"busy":{:.4f},"stalls":{:.0f}}})", std::exchange(separator, ","), json_quoted(core.core),
                        core.busy, core.stalls);
  }
  text += view.cores.empty() ? "\"cores\":[],\"methods\":[" : "],\"methods\":[";
  separator = "";
  for (const TopMethod& method : view.methods) {
    text += fmt::format(R"({}{{"method":{},"per_second":{:.2f},"p50_ms":{:g},"p99_ms":{:g}}})", std::exchange(separator, ","),
                        json_quoted(method.name), method.per_second, method.p50_ms, method.p99_ms);
  }
  text += "],\"shards\":[";
  separator = "";
  for (const TopShard& shard : view.shards) {
    text += fmt::format(
        R"({}{{"namespace":{},"shard":{},"puts_per_second":{:.1f},"deletes_per_second":{:.1f},"gets_per_second":{:.1f},)"
        R"("walks_per_second":{:.1f},"logged_bytes_per_second":{:.0f},"commit":{:.0f},"in_flight":{:.0f},"sessions":{:.0f},"followers":{:.0f}}})",
        std::exchange(separator, ","), json_quoted(shard.name_space), shard.shard, shard.puts, shard.deletes, shard.gets,
        shard.walks, shard.logged_bytes, shard.commit, shard.in_flight, shard.sessions, shard.followers);
  }
  return text + "]}";
}

}  // namespace skerry::node
