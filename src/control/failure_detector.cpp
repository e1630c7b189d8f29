// SPDX-License-Identifier: Apache-2.0
#include "control/failure_detector.hpp"

#include <algorithm>
#include <utility>

#include "base/limits.hpp"

namespace skerry::control {
namespace {

// Ticks come more often; one that is later than this comes from a coordinator that stood still.
constexpr Duration tick_gap_max = 200ms, tick_interval = 100ms;
// Without failures for this many times as long as it was distrusted, a node begins anew.
constexpr int forgotten_after = 20;

}  // namespace

void FailureDetector::attend(NodeId node, TimePoint now) {
  if (const auto [found, fresh] = nodes_.try_emplace(node); fresh) found->second.heard = now;
}

// --- what is heard

bool FailureDetector::greeted(NodeId id, replica::Incarnation incarnation, TimePoint now) {
  Node* node = find(id);
  if (node == nullptr) return false;
  const bool restarted = node->incarnation && *node->incarnation != incarnation;
  if (restarted && node->condition != NodeCondition::failed) count_failure(*node, now);
  if (node->condition == NodeCondition::failed || restarted) node->trusted_from = now + node->distrust;
  node->incarnation = incarnation;
  node->condition = NodeCondition::serving;
  node->heard = now;
  node->disk_silence = {};
  node->unheard.clear();
  std::erase(newly_failed_, id);
  return restarted;
}

void FailureDetector::heard(NodeId id, Duration disk_silence, std::vector<NodeId> unheard, TimePoint now) {
  Node* node = find(id);
  if (node == nullptr || !node->incarnation) return;
  // A report after its silence: the call never broke, and the process is the same.
  if (node->condition == NodeCondition::failed) node->trusted_from = now + node->distrust;
  node->condition = NodeCondition::serving;
  node->heard = now;
  node->disk_silence = disk_silence;
  node->unheard = std::move(unheard);
  for (const NodeId other : node->unheard) {
    Node* suspect = find(other);
    if (suspect != nullptr && suspect->condition == NodeCondition::suspected) {
      fail(*suspect, now);
      newly_failed_.push_back(other);
    }
  }
}

void FailureDetector::broke(NodeId id, TimePoint now) {
  Node* node = find(id);
  if (node == nullptr || node->condition != NodeCondition::serving) return;
  node->condition = NodeCondition::suspected;
  if (!is_unheard_by_others(id)) return;
  fail(*node, now);
  newly_failed_.push_back(id);
}

void FailureDetector::connect_failed(NodeId id, TimePoint now) {
  Node* node = find(id);
  if (node == nullptr || node->condition == NodeCondition::failed) return;
  fail(*node, now);
  newly_failed_.push_back(id);
}

void FailureDetector::distrust(NodeId id, TimePoint now) {
  Node* node = find(id);
  if (node == nullptr) return;
  count_failure(*node, now);
  node->trusted_from = now + node->distrust;
}

void FailureDetector::tick(TimePoint now) {
  forgive_own_absence(now);
  for (auto& [id, node] : nodes_) {
    if (silent_at(node) > now) continue;
    fail(node, now);
    newly_failed_.push_back(id);
  }
}

std::vector<NodeId> FailureDetector::take_failed() { return std::exchange(newly_failed_, {}); }

void FailureDetector::forgive_own_absence(TimePoint now) {
  const Duration gap = last_tick_ ? now - *last_tick_ : Duration();
  last_tick_ = now;
  if (gap <= tick_gap_max) return;
  for (auto& [id, node] : nodes_) node.heard = std::min(node.heard + gap, now);
}

TimePoint FailureDetector::next_tick() const {
  TimePoint next = TimePoint::max();
  for (const auto& [id, node] : nodes_) next = std::min(next, silent_at(node));
  return next == TimePoint::max() || !last_tick_ ? next : std::min(next, *last_tick_ + tick_interval);
}

TimePoint FailureDetector::silent_at(const Node& node) const {
  switch (node.condition) {
    case NodeCondition::unknown: return node.heard + limits::first_contact_max;
    case NodeCondition::failed: return TimePoint::max();
    default: return node.heard + limits::attendance_silence_max;
  }
}

void FailureDetector::fail(Node& node, TimePoint now) {
  node.condition = NodeCondition::failed;
  count_failure(node, now);
}

void FailureDetector::count_failure(Node& node, TimePoint now) {
  const bool forgotten = !node.failed_at || now - *node.failed_at > forgotten_after * node.distrust;
  node.distrust = forgotten ? Duration(limits::distrust_min) : 2 * node.distrust;
  node.distrust = std::min(node.distrust, distrust_max_);
  node.failed_at = now;
}

bool FailureDetector::is_unheard_by_others(NodeId id) const {
  return std::ranges::any_of(nodes_, [id](const auto& other) {
    return other.second.condition == NodeCondition::serving &&
           std::ranges::find(other.second.unheard, id) != other.second.unheard.end();
  });
}

// --- what it means

NodeCondition FailureDetector::condition(NodeId id) const {
  const Node* node = find(id);
  return node == nullptr ? NodeCondition::unknown : node->condition;
}

bool FailureDetector::responds(NodeId id) const {
  const NodeCondition now = condition(id);
  return (now == NodeCondition::serving || now == NodeCondition::suspected) && !is_disk_silent(id);
}

bool FailureDetector::is_disk_silent(NodeId id) const {
  const Node* node = find(id);
  return node != nullptr && node->disk_silence >= limits::disk_silence_max;
}

bool FailureDetector::is_trusted(NodeId id, TimePoint now) const {
  const Node* node = find(id);
  return node != nullptr && node->condition == NodeCondition::serving && now >= node->trusted_from && !is_disk_silent(id);
}

TimePoint FailureDetector::trusted_from(NodeId id) const {
  const Node* node = find(id);
  return node == nullptr ? TimePoint::max() : node->trusted_from;
}

std::optional<replica::Incarnation> FailureDetector::incarnation(NodeId id) const {
  const Node* node = find(id);
  return node == nullptr ? std::nullopt : node->incarnation;
}

std::optional<TimePoint> FailureDetector::failed_since(NodeId id) const {
  const Node* node = find(id);
  return node == nullptr || node->condition != NodeCondition::failed ? std::nullopt : node->failed_at;
}

const FailureDetector::Node* FailureDetector::find(NodeId node) const {
  const auto found = nodes_.find(node);
  return found == nodes_.end() ? nullptr : &found->second;
}

FailureDetector::Node* FailureDetector::find(NodeId node) {
  const auto found = nodes_.find(node);
  return found == nodes_.end() ? nullptr : &found->second;
}

}  // namespace skerry::control
