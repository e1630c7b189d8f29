// SPDX-License-Identifier: Apache-2.0
#include "control/repairs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "control/node_lists.hpp"

namespace skerry::control {

void Repairs::look() {
  std::erase_if(kept_, [this](const auto& each) { return !roster_.damaged().contains(each.first); });
  std::vector<NodeId> spared;
  for (const auto& [node, damage] : roster_.damaged()) {
    std::string why = why_needed(node);
    if (why.empty()) {
      spared.push_back(node);
      kept_.erase(node);
      continue;
    }
    Kept& known = kept_[node];
    if (known.why != why) {
      known = {std::move(why), false};   // said when it stays so: leaders move, and reports come
    } else if (!std::exchange(known.is_said, true)) {
      desk_.warn(fmt::format("{} is damaged and is kept as it is: {}", desk_.name_of(node), known.why));
    }
  }
  // One at a time: the next is looked at again when no shard builds on this one any more.
  if (spared.empty()) return;
  roster_.give_up(spared.front());
}

std::string Repairs::why_kept(NodeId node) const {
  const auto found = kept_.find(node);
  return found == kept_.end() ? std::string() : found->second.why;
}

std::string Repairs::why_needed(NodeId node) {
  std::string first;
  for (const auto& [id, shard] : desk_.book.status().shards) {
    if (shard.state == ShardState::deleting || !shard.members.votes(node)) continue;
    std::string why = why_needed(node, id, shard);   // of each: those that it leads begin to move
    if (first.empty()) first = std::move(why);
  }
  return first;
}

std::string Repairs::why_needed(NodeId node, ShardId id, const ShardStatus& shard) {
  if (shard.members.voters.size() == 1 && holds(shard.members.voters, node)) {
    return fmt::format("it has the only replica of {}", desk_.name_of(id));
  }
  std::vector<NodeId> whole;
  for (const NodeId other : shard.members.members()) {
    if (other != node && shard.members.votes(other) && is_whole(other, id, shard)) whole.push_back(other);
  }
  for (const auto* voters : {&shard.members.voters, &shard.members.old_voters}) {
    if (!holds(*voters, node)) continue;
    const auto others = std::ranges::count_if(whole, [voters](NodeId other) { return holds(*voters, other); });
    if (static_cast<std::size_t>(others) * 2 > voters->size()) continue;
    return fmt::format("{} needs it, since without it only {} of {} voters are whole and follow", desk_.name_of(id), others,
                       voters->size());
  }
  if (shard.reshaped_with) {
    reshapes_.make_way(id, fmt::format("{} is damaged, and has to be filled anew first", desk_.name_of(node)));
    return fmt::format("{} is being split or merged", desk_.name_of(id));
  }
  if (shard.leader == node && !leadership_.is_transferring(id)) leadership_.wish_transfer(id, whole.front());
  if (shard.state != ShardState::steady || shard.leader == node) {
    return fmt::format("{} has no other leader yet", desk_.name_of(id));
  }
  const ReplicaReport* leading = desk_.reports.find(id, *shard.leader);
  const bool serves = leading != nullptr && leading->serving && leading->term == shard.term;
  return serves ? std::string() : fmt::format("the leader of {} does not serve yet", desk_.name_of(id));
}

// What it has acknowledged it has, as far as anybody knows, and it follows closely.
bool Repairs::is_whole(NodeId node, ShardId id, const ShardStatus& shard) const {
  const NodeStatus* known = desk_.book.find(node);
  if (known == nullptr || known->lost || roster_.damaged().contains(node)) return false;
  if (desk_.detector.condition(node) != NodeCondition::serving) return false;
  const ReplicaReport* report = desk_.reports.find(id, node);
  if (report == nullptr || report->role == ReplicaReport::Role::failed || report->term != shard.term) return false;
  if (!shard.leader || shard.leader == node) return true;
  // One that lags has not all that is committed: others do, but should be more than just enough.
  const ReplicaReport* leading = desk_.reports.find(id, *shard.leader);
  return leading != nullptr && std::ranges::any_of(leading->followers, [node](const ReplicaReport::Follower& each) {
           return each.node == node && each.streaming;
         });
}

}   // namespace skerry::control
