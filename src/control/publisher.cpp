// SPDX-License-Identifier: Apache-2.0
#include "control/publisher.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace skerry::control {

void Publisher::publish() {
  if (!desk_.is_stored(desk_.structure())) return;
  const bool structure_changed = std::exchange(structure_, desk_.structure()) != desk_.structure();
  if (structure_changed) {
    gather_addresses();
    gather_holdings();
  }
  if (desk_.take_leaders_changed() || structure_changed) gather_assignments();
  for (auto& [node, told] : told_) tell(node, told);
}

void Publisher::tell(NodeId node, Publication& told) {
  Publication news{.to = node, .nodes = {}, .holdings = {}, .assignments = {}};
  if (told.nodes != addresses_) told.nodes = news.nodes = addresses_;
  if (told.holdings != holdings_[node]) told.holdings = news.holdings = holdings_[node];
  if (told.assignments != assignments_) told.assignments = news.assignments = assignments_;
  if (news.nodes || news.holdings || news.assignments) desk_.effects.publish.push_back(std::move(news));
}

Revision Publisher::next_revision() {
  ++revision_.number;
  return revision_;
}

void Publisher::gather_addresses() {
  NodeAddresses gathered;
  for (const auto& [id, node] : desk_.book.status().nodes) {
    if (!node.lost) gathered.nodes.push_back({id, node.internal_address});
  }
  if (addresses_ && addresses_->nodes == gathered.nodes) return;
  gathered.revision = next_revision();
  addresses_ = std::make_shared<const NodeAddresses>(std::move(gathered));
}

void Publisher::gather_holdings() {
  Replicas replicas;
  for (const auto& [id, node] : desk_.book.status().nodes) replicas[id];
  for (const auto& [id, shard] : desk_.book.status().shards) {
    // The replicas of a reshape's children are made of their parents', not opened empty.
    const bool unborn = shard.state == ShardState::fenced && desk_.is_child(id);
    if (shard.state == ShardState::deleting || unborn) continue;
    const NamespaceStatus& space = *desk_.book.find(shard.name_space);
    for (const NodeId node : shard.members.members()) {
      replicas[node].push_back(
          {.shard = id, .name_space = shard.name_space, .order = space.order, .notifications = space.notifications});
    }
  }
  std::erase_if(holdings_, [&](const auto& each) { return !replicas.contains(each.first); });
  for (auto& [node, held] : replicas) {
    auto& known = holdings_[node];
    if (known && known->replicas == held) continue;
    known = std::make_shared<const Holdings>(Holdings{.revision = next_revision(), .replicas = std::move(held)});
  }
}

void Publisher::gather_assignments() {
  // The first namespaces of a new cluster are about to be made: who asks for one waits, rather than hear that there is none.
  const bool begins = desk_.book.status().namespaces.empty() && (!desk_.config || !desk_.config->namespaces.empty());
  if (begins && !assignments_) return;
  Assignments gathered;
  for (const auto& [id, node] : desk_.book.status().nodes) {
    if (!node.lost) gathered.authorities.push_back(node.public_address);
  }
  if (desk_.config) std::ranges::copy(desk_.config->extra_authorities, std::back_inserter(gathered.authorities));
  for (const auto& [name, space] : desk_.book.status().namespaces) {
    if (!space.deleting) gathered.namespaces[name];
  }
  for (const auto& [id, shard] : desk_.book.status().shards) {
    if (shard.state == ShardState::deleting || desk_.is_child(id)) continue;
    // While nobody leads, the last one stays: it refuses what it is asked, and clients that are published take one change better
    // than two, some of them no address at all not well.
    if (shard.leader) last_leaders_[id] = *shard.leader;
    const auto last = last_leaders_.find(id);
    Assignments::Shard told{.shard = id, .hashes = shard.hashes, .leader = {}, .leader_public_address = {}};
    const NodeStatus* leader = last == last_leaders_.end() ? nullptr : desk_.book.find(last->second);
    if (leader != nullptr) told.leader = last->second;
    if (leader != nullptr) told.leader_public_address = leader->public_address;
    gathered.namespaces[shard.name_space].push_back(std::move(told));
  }
  if (assignments_ && assignments_->namespaces == gathered.namespaces && assignments_->authorities == gathered.authorities) {
    return;
  }
  gathered.revision = next_revision();
  assignments_ = std::make_shared<const Assignments>(std::move(gathered));
}

}   // namespace skerry::control
