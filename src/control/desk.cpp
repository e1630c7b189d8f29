// SPDX-License-Identifier: Apache-2.0
#include "control/desk.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::control {

void Desk::look_at(ShardId shard, TimePoint when) {
  when = std::max(when, now + 1ms);   // what is due now is being looked at
  const auto [found, fresh] = time_of_.try_emplace(shard, when);
  if (!fresh) {
    if (found->second <= when) return;
    times_.erase({found->second, shard});
    found->second = when;
  }
  times_.emplace(when, shard);
}

void Desk::look_when_stored(ShardId shard) { unstored_.emplace(book.changed(), shard); }

void Desk::look_at_shards_of(NodeId node) {
  for (const auto& [id, shard] : book.status().shards) {
    if (shard.members.has(node) || shard.leader == node || std::ranges::find(shard.removed, node) != shard.removed.end())
      look_at(id);
  }
}

void Desk::look_at_all() {
  for (const auto& [id, shard] : book.status().shards) look_at(id);
}

void Desk::stored(CommitNumber number) {
  book.stored(number);
  const auto end = unstored_.upper_bound(number);
  for (auto each = unstored_.begin(); each != end; ++each) look_at(each->second);
  unstored_.erase(unstored_.begin(), end);
}

std::optional<ShardId> Desk::next_due() {
  while (!times_.empty() && times_.begin()->first <= now) {
    const ShardId shard = times_.begin()->second;
    times_.erase(times_.begin());
    time_of_.erase(shard);
    due_.insert(shard);
  }
  if (due_.empty()) return std::nullopt;
  return due_.extract(due_.begin()).value();
}

TimePoint Desk::next_look() const {
  if (!due_.empty()) return now;
  return times_.empty() ? TimePoint::max() : times_.begin()->first;
}

void Desk::retire(ShardId id) {
  book.set_leader(id, std::nullopt);
  ShardStatus& shard = book.edit(id);
  // Above all that its replicas know: none of them refuses to be deleted.
  shard.term = std::max(shard.term, reports.highest_term(id).first).next();
  shard.state = ShardState::deleting;
  shard.wanted.clear();
  shard.reshape.reset();
  shard.reshaped_with.reset();
  for (const NodeId node : shard.members.members()) {
    if (std::ranges::find(shard.removed, node) == shard.removed.end()) shard.removed.push_back(node);
  }
  structure_changed();
  look_when_stored(id);
  look_at(id);
}

std::string Desk::name_of(NodeId node) const {
  const NodeStatus* found = book.find(node);
  return found == nullptr ? fmt::format("node {}", node.value()) : found->name;
}

std::string Desk::name_of(ShardId shard) const {
  const ShardStatus* found = book.find(shard);
  return found == nullptr ? fmt::format("shard {}", shard.value())
                          : fmt::format("shard {} of {}", shard.value(), found->name_space);
}

std::string Desk::names_of(const std::vector<NodeId>& nodes) const {
  std::string names;
  for (const NodeId node : nodes) names += (names.empty() ? "" : ", ") + name_of(node);
  return names;
}

const ReshapeStatus* Desk::reshape_of(ShardId id) const {
  const ShardStatus* shard = book.find(id);
  if (shard == nullptr || !shard->reshaped_with) return nullptr;
  const ShardStatus* first = book.find(*shard->reshaped_with);
  return first == nullptr || !first->reshape ? nullptr : &*first->reshape;
}

bool Desk::is_child(ShardId shard) const {
  const ReshapeStatus* reshape = reshape_of(shard);
  return reshape != nullptr && std::ranges::find(reshape->children, shard) != reshape->children.end();
}

bool Desk::has_responding_majority(const replica::Membership& members) const {
  return members.has_majority([this](NodeId node) { return detector.responds(node); });
}

}  // namespace skerry::control
