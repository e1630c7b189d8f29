// SPDX-License-Identifier: Apache-2.0
#include "node/cli_cluster_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "base/nearest.hpp"

namespace skerry::node {
namespace {

constexpr std::uint32_t nodes_max = 32;
constexpr std::uint32_t replicas_usual = 3;
constexpr std::uint32_t ports_each = 10;
enum PortUse : std::uint32_t {
  public_port,
  internal_port,
  link_port,
  coordinator_public,
  metrics_port,
  coordinator_internal,
  coordinator_metrics
};

net::Address loopback(std::uint32_t port) { return {"127.0.0.1", static_cast<std::uint16_t>(port)}; }

Result<> check(const ClusterUpOptions& options) {
  const auto refuse = [](std::string text) { return fail(Errc::invalid_argument, std::move(text)); };
  if (options.nodes == 0 || options.nodes > nodes_max) return refuse(fmt::format("--nodes must be 1 to {}", nodes_max));
  if (options.shards == 0 || options.shards > limits::namespace_shards_max) {
    return refuse(fmt::format("--shards must be 1 to {}", limits::namespace_shards_max));
  }
  if (options.replicas > std::min<std::size_t>(options.nodes, limits::replicas_max)) {
    return refuse(fmt::format("--replication-factor {} is more than {} nodes can hold: give more --nodes, or less of it",
                              options.replicas, options.nodes));
  }
  const std::uint32_t last = options.base_port + ports_each * options.nodes;
  if (options.base_port == 0 || last > UINT16_MAX) {
    return refuse(fmt::format("--base-port {}: {} ports from there on are needed, below 65536", options.base_port,
                              ports_each * options.nodes));
  }
  if (options.folder.empty()) return refuse("--dir must name a folder");
  return {};
}

}  // namespace

std::vector<std::string> ClusterPlan::Member::command() const {
  std::vector<std::string> words{number == 0 ? "coordinator" : "server"};
  for (const auto& [flag, value] : {std::pair("-p", public_address.text()), std::pair("-i", internal_address.text()),
                                    std::pair("-m", metrics_address.text())}) {
    words.insert(words.end(), {flag, value});
  }
  words.insert(words.end(), {number == 0 ? "--metadata-dir" : "--data-dir", folder + (number == 0 ? "/metadata" : "/data")});
  return words;
}

Result<ClusterPlan> ClusterPlan::make(ClusterUpOptions options) {
  TRYV(check(options));
  if (options.replicas == 0) options.replicas = std::min(options.nodes, replicas_usual);
  const std::uint32_t base = options.base_port;
  ClusterPlan plan{.options = options, .members = {}};
  plan.members.push_back({.number = 0,
                          .name = "coordinator",
                          .folder = options.folder + "/coordinator",
                          .public_address = loopback(base + coordinator_public),
                          .internal_address = loopback(base + coordinator_internal),
                          .metrics_address = loopback(base + coordinator_metrics),
                          .link = {}});
  for (std::uint32_t number = 1; number <= options.nodes; ++number) {
    const std::uint32_t first = base + ports_each * (number - 1);
    plan.members.push_back({.number = number,
                            .name = fmt::format("node-{}", number),
                            .folder = fmt::format("{}/node-{}", options.folder, number),
                            .public_address = loopback(first + public_port),
                            .internal_address = loopback(first + internal_port),
                            .metrics_address = loopback(first + metrics_port),
                            .link = loopback(first + link_port)});
  }
  return plan;
}

Result<std::uint32_t> ClusterPlan::find(const std::string& text) const {
  std::vector<std::string> known;
  for (const Member& each : members) {
    if (text == each.name || (each.number > 0 && text == fmt::to_string(each.number))) return each.number;
    known.push_back(each.name);
  }
  return fail(Errc::not_found, fmt::format("there is no {}; this cluster has the nodes 1 to {}, and the coordinator{}",
                                           printable(text), options.nodes, did_you_mean(text, known)));
}

std::string ClusterPlan::config_file() const { return coordinator().folder + "/metadata/cluster.yaml"; }

// Clients may say localhost, too.
std::string ClusterPlan::config_yaml() const {
  std::string text = fmt::format("namespaces:\n  - {{name: default, initialShardCount: {}, replicationFactor: {}}}\nservers:\n",
                                 options.shards, options.replicas);
  std::string authorities = "allowExtraAuthorities:\n";
  for (const Member& each : members) {
    if (each.number == 0) continue;
    text += fmt::format("  - {{name: {}, public: \"{}\", internal: \"{}\"}}\n", each.name, each.public_address.text(),
                        each.link.text());
    authorities += fmt::format("  - \"localhost:{}\"\n", each.public_address.port);
  }
  return text + authorities;
}

std::string ClusterPlan::made_with() const { return fmt::format("--nodes {} --base-port {}", options.nodes, options.base_port); }

bool ClusterPlan::owns(std::string_view name) {
  constexpr std::array<std::string_view, 5> names{"lock", "control", "made-with", "coordinator", "lost+found"};
  return name.starts_with("node-") || std::ranges::find(names, name) != names.end();
}

}  // namespace skerry::node
