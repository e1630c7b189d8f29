// SPDX-License-Identifier: Apache-2.0
#include "control/node_reports.hpp"

#include <algorithm>
#include <chrono>

namespace skerry::control {
namespace {

constexpr Duration rate_interval = 1s;   // over which operations are counted at least
constexpr double rate_inertia = 0.7;     // of what was before, in the average

}  // namespace

void NodeReports::greeted(NodeId node, Greeting greeting) {
  nodes_[node] = {.greeting = std::move(greeting), .usage = std::nullopt, .complete = false};
  for (auto& [shard, replicas] : replicas_) replicas.erase(node);
}

void NodeReports::reported(NodeId id, const NodeReport& report, TimePoint now) {
  const auto node = nodes_.find(id);
  if (node == nodes_.end()) return;
  node->second.complete = true;
  if (report.usage) node->second.usage = report.usage;
  for (const ReplicaReport& each : report.replicas) {
    auto& replicas = replicas_[each.shard];
    if (each.role == ReplicaReport::Role::gone) {
      replicas.erase(id);
      continue;
    }
    const auto [found, fresh] = replicas.try_emplace(id);
    found->second.report = each;
    if (fresh) {
      found->second.counted_at = now;
      found->second.counted = each.reads + each.writes;
    }
    count(found->second, now);
  }
}

void NodeReports::count(Replica& replica, TimePoint now) {
  const Duration passed = now - replica.counted_at;
  if (passed < rate_interval) return;
  const std::uint64_t operations = replica.report.reads + replica.report.writes;
  const std::uint64_t done = operations - std::min(operations, replica.counted);
  const double rate = static_cast<double>(done) / std::chrono::duration<double>(passed).count();
  replica.rate = replica.rate == 0 ? rate : rate_inertia * replica.rate + (1 - rate_inertia) * rate;
  replica.counted = operations;
  replica.counted_at = now;
}

void NodeReports::forget(NodeId node) {
  nodes_.erase(node);
  for (auto& [shard, replicas] : replicas_) replicas.erase(node);
}

const Greeting* NodeReports::greeting(NodeId node) const {
  const auto found = nodes_.find(node);
  return found == nodes_.end() ? nullptr : &found->second.greeting;
}

const NodeUsage* NodeReports::usage(NodeId node) const {
  const auto found = nodes_.find(node);
  return found == nodes_.end() || !found->second.usage ? nullptr : &*found->second.usage;
}

bool NodeReports::is_complete(NodeId node) const {
  const auto found = nodes_.find(node);
  return found != nodes_.end() && found->second.complete;
}

const ReplicaReport* NodeReports::find(ShardId shard, NodeId node) const {
  const auto replicas = replicas_.find(shard);
  if (replicas == replicas_.end()) return nullptr;
  const auto found = replicas->second.find(node);
  return found == replicas->second.end() ? nullptr : &found->second.report;
}

std::pair<Term, NodeId> NodeReports::highest_term(ShardId shard) const {
  std::pair<Term, NodeId> highest{no_term, NodeId()};
  const auto replicas = replicas_.find(shard);
  if (replicas == replicas_.end()) return highest;
  for (const auto& [node, replica] : replicas->second) highest = std::max(highest, std::pair(replica.report.term, node));
  return highest;
}

std::optional<NodeReports::Load> NodeReports::load(ShardId shard) const {
  const auto replicas = replicas_.find(shard);
  if (replicas == replicas_.end() || replicas->second.empty()) return std::nullopt;
  Load load;
  for (const auto& [node, replica] : replicas->second) {
    load.bytes = std::max(load.bytes, replica.report.bytes);
    load.operations = std::max(load.operations, replica.rate);
  }
  return load;
}

}  // namespace skerry::control
