// SPDX-License-Identifier: Apache-2.0
#include "node/cli_top_cluster_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <vector>

#include "node/cli_cluster_output.hpp"

namespace skerry::node {
namespace {

namespace v1 = control::v1;
namespace json = boost::json;

struct ShardRates {
  double reads = 0, writes = 0, entries = 0;   // a second
};

std::string rounded(double value) { return fmt::format("{:.0f}", value); }
// Nothing where a counter began anew, as with another leader.
template <class Number>
double rate(Number before, Number after, double seconds) {
  return after > before ? static_cast<double>(after - before) / seconds : 0;
}

std::map<std::int64_t, ShardRates> rates_of(const ClusterLooks& looks) {
  const double seconds = std::chrono::duration<double>(looks.apart).count();
  std::map<std::int64_t, const v1::ClusterShard*> before;
  for (const v1::ClusterShard& each : looks.before.shards()) before[each.shard()] = &each;
  std::map<std::int64_t, ShardRates> rates;
  for (const v1::ClusterShard& each : looks.after.shards()) {
    const v1::ClusterShard* was = before[each.shard()];
    if (was == nullptr || was->leader() != each.leader() || !was->serving() || !each.serving()) continue;
    rates[each.shard()] = {.reads = rate(was->reads(), each.reads(), seconds),
                           .writes = rate(was->writes(), each.writes(), seconds),
                           .entries = rate(was->commit(), each.commit(), seconds)};
  }
  return rates;
}

std::vector<std::vector<std::string>> node_rows(const v1::Cluster& cluster) {
  std::vector<std::vector<std::string>> rows{
      {"NODE", "CONDITION", "CPU", "MEMORY MiB", "DISK MiB", "FREE MiB", "READS/S", "WRITES/S", "REPLICAS", "LEADERS", "STALLS"}};
  for (const v1::ClusterNode& each : cluster.nodes()) {
    const v1::Usage& usage = each.usage();
    rows.push_back({each.name(), condition_text(each), fmt::format("{:.0f}%", 100 * usage.cpu()), mebibytes(usage.memory_bytes()),
                    mebibytes(usage.disk_bytes()), mebibytes(usage.disk_free_bytes()), rounded(usage.reads_per_second()),
                    rounded(usage.writes_per_second()), fmt::to_string(each.replicas()), fmt::to_string(each.leaders()),
                    fmt::to_string(usage.stalls())});
  }
  return rows;
}

// Those that wait for something first.
std::vector<const v1::ClusterShard*> shards_in_order(const v1::Cluster& cluster) {
  std::vector<const v1::ClusterShard*> waiting, others;
  for (const v1::ClusterShard& each : cluster.shards()) {
    (each.why_not_yet().empty() && each.serving() ? others : waiting).push_back(&each);
  }
  waiting.insert(waiting.end(), others.begin(), others.end());
  return waiting;
}

}  // namespace

std::string cluster_top_text(const ClusterLooks& looks, std::size_t lines) {
  const v1::Cluster& cluster = looks.after;
  auto rates = rates_of(looks);
  ShardRates all;
  for (const auto& [shard, each] : rates) {
    all.reads += each.reads;
    all.writes += each.writes;
  }
  std::string text = fmt::format("cluster {}   coordinator {}   epoch {}\na second: {} reads   {} writes\n\n", cluster.instance(),
                                 cluster.coordinator(), cluster.epoch(), rounded(all.reads), rounded(all.writes));
  text += table_text(node_rows(cluster)) + "\n";
  for (const v1::ClusterNamespace& each : cluster.namespaces()) {
    if (!each.why_missing().empty()) text += fmt::format("namespace {}: {}\n", each.name(), each.why_missing());
  }
  std::vector<std::vector<std::string>> rows{
      {"SHARD", "NAMESPACE", "REPLICAS", "TERM", "READS/S", "WRITES/S", "COMMIT", "LAG", "SIZE MiB", "WAITS FOR"}};
  const std::size_t used = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 2;
  const std::size_t room = lines > used ? lines - used : 0;
  const auto shards = shards_in_order(cluster);
  for (const v1::ClusterShard* each : shards) {
    if (rows.size() > room) break;
    const ShardRates& of = rates[each->shard()];
    rows.push_back({fmt::to_string(each->shard()), each->namespace_(), replicas_text(cluster, *each),
                    fmt::to_string(each->term()), rounded(of.reads), rounded(of.writes), fmt::to_string(each->commit()),
                    lag_text(*each), mebibytes(each->bytes()), each->why_not_yet()});
  }
  text += table_text(rows);
  if (rows.size() <= shards.size()) text += fmt::format("… and {} shards more\n", shards.size() + 1 - rows.size());
  return text;
}

std::string cluster_top_json(const ClusterLooks& looks) {
  const std::string text = cluster_text(looks.after, AdminFormat::json);
  json::object value = json::parse(text).as_object();
  auto rates = rates_of(looks);
  for (json::value& each : value["shards"].as_array()) {
    json::object& shard = each.as_object();
    const ShardRates& of = rates[shard["shard"].to_number<std::int64_t>()];
    shard["reads_per_second"] = of.reads;
    shard["writes_per_second"] = of.writes;
    shard["entries_per_second"] = of.entries;
  }
  return json::serialize(value);
}

}  // namespace skerry::node
