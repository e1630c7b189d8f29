// SPDX-License-Identifier: Apache-2.0
#include "control/planning.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hpp"
#include "control/node_lists.hpp"
#include "control/reshape_limits.hpp"

namespace skerry::control {
namespace {

constexpr Duration look_interval = 1s;
constexpr Duration greetings_patience =
    3s;   // with servers that have never been heard, before a namespace is placed without them
constexpr int moves_per_balancing = 2, transfers_per_balancing = 8;

}  // namespace

// By what loads are measured: what an average shard has.
struct Planning::Weights {
  double bytes = 0, operations = 0;

  // Of one replica, and of leading: one for its being there, one for each of what it carries, in averages.
  double replica(const NodeReports::Load& load) const {
    return (1 + part(static_cast<double>(load.bytes), bytes) + part(load.operations, operations)) / 3;
  }
  double leader(const NodeReports::Load& load) const { return (1 + part(load.operations, operations)) / 2; }

 private:
  static double part(double value, double average) { return average > 0 ? value / average : 1; }
};

void Planning::configured() {
  if (!configured_at_) configured_at_ = desk_.now;
  for (const NamespaceConfig& wanted : desk_.config->namespaces) {
    if (const NamespaceStatus* known = desk_.book.find(wanted.name); known != nullptr) take_config(wanted, *known);
  }
  for (const auto& [name, space] : desk_.book.status().namespaces) {
    if (space.deleting || desk_.config->find_namespace(name) != nullptr) continue;
    desk_.warn(fmt::format(
        "the configuration no longer has the namespace {}: it is kept as it is; delete it by name if that is meant", name));
  }
  std::erase_if(missing_, [this](const auto& each) { return desk_.config->find_namespace(each.first) == nullptr; });
  desk_.plan_soon();
}

void Planning::take_config(const NamespaceConfig& wanted, const NamespaceStatus& known) {
  if (known.deleting || (known.replicas == wanted.replicas && known.notifications == wanted.notifications)) return;
  NamespaceStatus& space = desk_.book.edit(wanted.name);
  space.replicas = wanted.replicas;
  space.notifications = wanted.notifications;
  desk_.structure_changed();
}

void Planning::look() {
  next_look_ = desk_.now + look_interval;
  if (!desk_.config) return;
  create_missing();
  place_all();
  if (desk_.now < next_balancing_) return;
  balance();
  next_balancing_ = desk_.now + desk_.config->balancer.interval;
}

// --- what is there

PlacementNodes Planning::nodes() const {
  PlacementNodes nodes;
  for (const auto& [id, node] : desk_.book.status().nodes) {
    if (node.lost) continue;
    const bool stays = !node.draining && !node.removed;
    nodes[id] = {.node = id,
                 .name = node.name,
                 .pool = node.pool,
                 .labels = desk_.config->labels_of(node.name),
                 .takes_replicas = stays,
                 .takes_leaders = stays && desk_.detector.is_trusted(id, desk_.now),
                 .present = desk_.detector.condition(id) == NodeCondition::serving && !node.pool.empty(),
                 .load = 0,
                 .leader_load = 0};
  }
  add_loads(nodes);
  return nodes;
}

void Planning::add_loads(PlacementNodes& nodes) const {
  const Weights average = weights();
  for (const auto& [id, shard] : desk_.book.status().shards) {
    if (shard.state == ShardState::deleting || shard.state == ShardState::fenced) continue;
    const auto load = desk_.reports.load(id);
    for (const NodeId node : target_of(shard)) {
      if (const auto found = nodes.find(node); found != nodes.end()) found->second.load += load ? average.replica(*load) : 1;
    }
    if (!shard.leader) continue;
    if (const auto found = nodes.find(*shard.leader); found != nodes.end()) {
      found->second.leader_load += load ? average.leader(*load) : 1;
    }
  }
}

Planning::Weights Planning::weights() const {
  Weights sum;
  double shards = 0;
  for (const auto& [id, shard] : desk_.book.status().shards) {
    const auto load = desk_.reports.load(id);
    if (!load) continue;
    ++shards;
    sum.bytes += static_cast<double>(load->bytes);
    sum.operations += load->operations;
  }
  return shards == 0 ? sum : Weights{sum.bytes / shards, sum.operations / shards};
}

PlacementRules Planning::rules_of(const std::string& name) const {
  const NamespaceConfig* wanted = desk_.config->find_namespace(name);
  const NamespaceStatus* known = desk_.book.find(name);
  PlacementRules rules;
  if (known != nullptr) rules.replicas = known->replicas;
  if (wanted != nullptr) rules.anti_affinities = wanted->anti_affinities;
  return rules;
}

// --- new namespaces

void Planning::create_missing() {
  for (const NamespaceConfig& wanted : desk_.config->namespaces) {
    const NamespaceStatus* known = desk_.book.find(wanted.name);
    if (known != nullptr && !known->deleting) continue;
    std::string why;
    if (known != nullptr) {
      why = "the namespace of this name before it is still being deleted";
    } else if (desk_.book.find_restore(wanted.name) != nullptr) {
      why = "a namespace of this name is being restored from a backup";
    } else if (awaits_greetings()) {
      why = "waits for servers that have not been heard yet";
    } else if (const auto created = create(wanted); !created) {
      why = created.error().text;
      if (missing_[wanted.name] != why) desk_.warn(fmt::format("the namespace {} can't be created: {}", wanted.name, why));
    }
    missing_[wanted.name] = why;
    if (why.empty()) missing_.erase(wanted.name);
  }
}

// Pools are known from greetings: who places replicas before may put two where one failure takes both.
bool Planning::awaits_greetings() const {
  if (desk_.now - *configured_at_ >= greetings_patience) return false;
  return std::ranges::any_of(desk_.book.status().nodes, [](const auto& each) {
    return each.second.pool.empty() && !each.second.lost && !each.second.removed;
  });
}

Result<std::vector<std::vector<NodeId>>> Planning::place(std::uint32_t shards, const PlacementRules& rules) const {
  if (desk_.book.status().next_shard.value() + shards > limits::shard_ids_max) {
    return fail(Errc::resource_exhausted, fmt::format("the cluster has given out its {} shard numbers", limits::shard_ids_max));
  }
  PlacementNodes around = nodes();
  std::vector<std::vector<NodeId>> placed;
  for (std::uint32_t i = 0; i < shards; ++i) {
    TRY(auto voters, choose_voters({}, around, rules));
    for (const NodeId node : voters) around[node].load += 1;
    placed.push_back(std::move(voters));
  }
  return placed;
}

Result<> Planning::create(const NamespaceConfig& wanted) {
  TRY(const auto placed, place(wanted.shards, {.replicas = wanted.replicas, .anti_affinities = wanted.anti_affinities}));
  desk_.book.add(wanted.name,
                 {.replicas = wanted.replicas, .notifications = wanted.notifications, .order = wanted.order, .deleting = false});
  const std::vector<HashRange> ranges = split_hashes(wanted.shards);
  for (std::uint32_t i = 0; i < wanted.shards; ++i) {
    ShardStatus shard{.name_space = wanted.name, .hashes = ranges[i]};
    shard.members.version = MembershipVersion(1);
    shard.members.voters = placed[i];
    desk_.look_at(desk_.book.add(std::move(shard)));
  }
  desk_.structure_changed();
  desk_.inform(
      fmt::format("the namespace {} is created with {} shards of {} replicas", wanted.name, wanted.shards, wanted.replicas));
  return {};
}

// --- where shards should be

void Planning::place_all() {
  PlacementNodes around = nodes();
  std::map<std::string, PlacementRules> rules;
  for (const auto& [name, space] : desk_.book.status().namespaces) rules[name] = rules_of(name);
  misplaced_.clear();
  std::erase_if(handed_over_, [this](const auto& each) {
    const ShardStatus* shard = desk_.book.find(each.first);
    return shard == nullptr || (shard->leader && shard->leader != each.second);
  });
  std::vector<std::pair<ShardId, std::vector<NodeId>>> wishes;
  for (const auto& [id, shard] : desk_.book.status().shards) {
    if (shard.state == ShardState::deleting || shard.reshaped_with) continue;
    const PlacementRules& its = rules[shard.name_space];
    std::vector<NodeId> target = target_of(shard);
    const std::string why = why_misplaced(target, around, its);
    if (why.empty()) {
      if (!is_moving(shard)) handed_over_.erase(id);   // who is to go later is asked anew
      continue;
    }
    // First the one that should stay most.
    const auto leader = shard.leader ? std::ranges::find(target, *shard.leader) : target.end();
    if (leader != target.end()) std::iter_swap(target.begin(), leader);
    auto chosen = choose_voters(target, around, its);
    if (!chosen) {
      misplaced_[id] = why + "; " + chosen.error().text;
      continue;
    }
    for (const NodeId node : *chosen) around[node].load += holds(target, node) ? 0 : 1;
    if (hands_over(id, *chosen, around)) continue;
    wishes.emplace_back(id, *std::move(chosen));
  }
  for (auto& [id, voters] : wishes) want(id, std::move(voters));
}

// Who leads and has to go hands over first, to one that stays, while all is quiet: not at the end, where new members have just
// been filled and clients wait longer. Tried once: true while it is under way.
bool Planning::hands_over(ShardId id, const std::vector<NodeId>& voters, PlacementNodes& around) {
  const ShardStatus& shard = *desk_.book.find(id);
  if (!shard.leader || holds(voters, *shard.leader) || is_moving(shard)) return false;
  if (leadership_.is_transferring(id)) return true;
  const auto tried = handed_over_.find(id);
  if (tried != handed_over_.end() && tried->second == *shard.leader) return false;
  std::optional<NodeId> to;
  for (const NodeId node : voters) {
    if (!shard.members.votes(node) || !around[node].takes_leaders) continue;
    if (!to || around[node].leader_load < around[*to].leader_load) to = node;
  }
  if (!to) return false;
  around[*to].leader_load += 1;
  handed_over_.insert_or_assign(id, *shard.leader);
  leadership_.wish_away(id, *to);
  return true;
}

void Planning::want(ShardId id, std::vector<NodeId> voters) {
  std::ranges::sort(voters);
  ShardStatus& shard = desk_.book.edit(id);
  shard.wanted = std::move(voters);
  desk_.inform(fmt::format("{}: is to have the voters {}", desk_.name_of(id), desk_.names_of(shard.wanted)));
  desk_.look_at(id);
}

bool Planning::is_moving(const ShardStatus& shard) const {
  return !shard.wanted.empty() || shard.members.joint() || !shard.members.learners.empty() || shard.state != ShardState::steady ||
         shard.reshaped_with;
}

void Planning::balance() {
  PlacementNodes around = nodes();
  const Weights average = weights();
  std::map<std::string, PlacementRules> rules;
  for (const auto& [name, space] : desk_.book.status().namespaces) rules[name] = rules_of(name);
  std::vector<PlacedShard> placed;
  // While some are away, what is moved would soon be moved back.
  bool any_moves =
      std::ranges::any_of(around, [](const auto& each) { return each.second.takes_replicas && !each.second.present; });
  for (const auto& [id, shard] : desk_.book.status().shards) {
    if (shard.state == ShardState::deleting) continue;
    any_moves = any_moves || is_moving(shard);
    if (is_moving(shard) || leadership_.is_transferring(id)) continue;
    const auto load = desk_.reports.load(id);
    placed.push_back({.shard = id,
                      .voters = sorted(shard.members.voters),
                      .leader = shard.leader,
                      .load = load ? average.replica(*load) : 1,
                      .leader_load = load ? average.leader(*load) : 1,
                      .rules = &rules[shard.name_space]});
  }
  for (int i = 0; i < moves_per_balancing && !any_moves; ++i) {
    const auto step = propose_move(placed, around);
    if (!step) break;
    const auto found = std::ranges::find(placed, step->shard, &PlacedShard::shard);
    around[step->from].load -= found->load;
    around[step->to].load += found->load;
    std::ranges::replace(found->voters, step->from, step->to);
    want(step->shard, found->voters);
    placed.erase(found);
  }
  for (int i = 0; i < transfers_per_balancing; ++i) {
    const auto step = propose_transfer(placed, around);
    if (!step) break;
    const auto found = std::ranges::find(placed, step->shard, &PlacedShard::shard);
    around[step->from].leader_load -= found->leader_load;
    around[step->to].leader_load += found->leader_load;
    leadership_.wish_transfer(step->shard, step->to);
    placed.erase(found);
  }
}

// --- wishes

Result<> Planning::check_drain(NodeId id) const {
  if (!desk_.config) return fail(Errc::unavailable, "the coordinator has no configuration yet: try again");
  PlacementNodes around = nodes();
  around[id].takes_replicas = false;
  for (const auto& [name, space] : desk_.book.status().namespaces) {
    if (space.deleting) continue;
    if (const auto placed = choose_voters({}, around, rules_of(name)); !placed) {
      return fail(Errc::unavailable,
                  fmt::format("without {} the namespace {} has no place: {}", desk_.name_of(id), name, placed.error().text));
    }
  }
  return {};
}

Result<> Planning::move_replica(ShardId id, NodeId from, NodeId to) {
  if (!desk_.config) return fail(Errc::unavailable, "the coordinator has no configuration yet: try again");
  const ShardStatus& shard = *desk_.book.find(id);
  if (shard.reshaped_with)
    return fail(Errc::unavailable, fmt::format("{} is being split or merged: wait until that has ended", desk_.name_of(id)));
  if (is_moving(shard))
    return fail(Errc::unavailable, fmt::format("{} is being moved already: wait until that has ended", desk_.name_of(id)));
  std::vector<NodeId> voters = sorted(shard.members.voters);
  if (!holds(voters, from))
    return fail(Errc::invalid_argument, fmt::format("{} has no replica of {}", desk_.name_of(from), desk_.name_of(id)));
  if (holds(voters, to))
    return fail(Errc::invalid_argument, fmt::format("{} has a replica of {} already", desk_.name_of(to), desk_.name_of(id)));
  std::ranges::replace(voters, from, to);
  if (const std::string why = why_misplaced(voters, nodes(), rules_of(shard.name_space)); !why.empty()) {
    return fail(Errc::invalid_argument, fmt::format("{} can't be there: {}", desk_.name_of(id), why));
  }
  want(id, std::move(voters));
  return {};
}

void Planning::delete_namespace(const std::string& name) {
  desk_.book.edit(name).deleting = true;
  std::vector<ShardId> leaving;
  for (const auto& [id, shard] : desk_.book.status().shards) {
    if (shard.name_space == name) leaving.push_back(id);
  }
  for (const ShardId id : leaving) desk_.retire(id);
  desk_.structure_changed();
  desk_.inform(fmt::format("the namespace {} is being deleted, with {} shards", name, leaving.size()));
}

// --- words

std::string Planning::why_not_yet(ShardId shard) const {
  const auto found = misplaced_.find(shard);
  return found == misplaced_.end() ? std::string() : found->second;
}

std::string Planning::why_missing(const std::string& name_space) const {
  const auto found = missing_.find(name_space);
  return found == missing_.end() ? std::string() : found->second;
}

}   // namespace skerry::control
