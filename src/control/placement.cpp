// SPDX-License-Identifier: Apache-2.0
#include "control/placement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/limits.hpp"
#include "control/node_lists.hpp"

namespace skerry::control {
namespace {

// What a move must take off the fuller node's load at least: half an average replica, and a twentieth of what it carries. A
// replica that is copied for less costs more than it brings, and would soon be copied back.
constexpr double gain_min = 0.5, gain_part_min = 0.05;
// A search for voters ends here; what it looks at is ordered so that it rarely tries more than a few.
constexpr int search_steps_max = 20'000;

// A label that a server does not have is one more value: such servers can't be told apart.
std::string_view label(const PlacementNode& node, const std::string& name) {
  const auto found = node.labels.find(name);
  return found == node.labels.end() ? std::string_view() : std::string_view(found->second);
}

// The first label in which they agree and should not; empty: none.
std::string shared_label(const PlacementNode& one, const PlacementNode& other, const AntiAffinity& rule) {
  for (const std::string& name : rule.labels) {
    if (label(one, name) == label(other, name)) return name;
  }
  return {};
}

bool share_pool(const PlacementNode& one, const PlacementNode& other) { return !one.pool.empty() && one.pool == other.pool; }

bool kept_apart(const PlacementNode& one, const PlacementNode& other, const PlacementRules& rules, bool relaxed_too) {
  if (share_pool(one, other)) return true;
  return std::ranges::any_of(rules.anti_affinities, [&](const AntiAffinity& rule) {
    return (relaxed_too || rule.mode == AntiAffinity::Mode::strict) && !shared_label(one, other, rule).empty();
  });
}

// Looks for a set of nodes that may be together, the preferred first.
class Search {
 public:
  Search(const std::vector<NodeId>& current, const PlacementNodes& nodes, const PlacementRules& rules, bool relaxed_too)
      : rules_(rules), relaxed_too_(relaxed_too) {
    for (const auto& [id, node] : nodes) {
      if (node.takes_replicas) candidates_.push_back({&node, rank_of(id, current)});
    }
  }

  std::optional<std::vector<NodeId>> run() {
    if (!extend()) return std::nullopt;
    std::vector<NodeId> found;
    for (const PlacementNode* node : chosen_) found.push_back(node->node);
    std::ranges::sort(found);
    return found;
  }

 private:
  struct Candidate {
    const PlacementNode* node;
    int rank;   // the lower, the more it should be among them
  };

  static int rank_of(NodeId node, const std::vector<NodeId>& current) {
    if (!holds(current, node)) return 2;
    return current.front() == node ? 0 : 1;
  }

  bool extend() {
    if (chosen_.size() == rules_.replicas) return true;
    if (++steps_ > search_steps_max) return false;
    std::vector<Candidate> open = possible();
    if (open.size() + chosen_.size() < rules_.replicas) return false;
    for (const Candidate& next : open) {
      chosen_.push_back(next.node);
      banned_.push_back(next.node);   // if it does not lead to a set now, it does not together with those after it either
      if (extend()) return true;
      chosen_.pop_back();
    }
    banned_.resize(banned_.size() - open.size());
    return false;
  }

  // In the order in which they should be tried.
  std::vector<Candidate> possible() const {
    std::vector<Candidate> open;
    for (const Candidate& each : candidates_) {
      const bool banned = std::ranges::find(banned_, each.node) != banned_.end();
      if (!banned &&
          std::ranges::none_of(chosen_, [&](auto* other) { return kept_apart(*each.node, *other, rules_, relaxed_too_); }))
        open.push_back(each);
    }
    std::ranges::sort(open, {}, [this](const Candidate& each) {
      return std::tuple(each.rank, relaxed_conflicts(*each.node), !each.node->present, each.node->load, each.node->node);
    });
    return open;
  }

  std::size_t relaxed_conflicts(const PlacementNode& node) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(chosen_, [&](auto* other) { return kept_apart(node, *other, rules_, true); }));
  }

  const PlacementRules& rules_;
  const bool relaxed_too_;
  std::vector<Candidate> candidates_;
  std::vector<const PlacementNode*> chosen_, banned_;
  int steps_ = 0;
};

// Pairs that relaxed rules would rather keep apart.
std::ptrdiff_t relaxed_conflicts(const std::vector<NodeId>& voters, const PlacementNodes& nodes, const PlacementRules& rules) {
  std::ptrdiff_t pairs = 0;
  for (auto one = voters.begin(); one != voters.end(); ++one) {
    pairs += std::count_if(voters.begin(), one,
                           [&](NodeId other) { return kept_apart(nodes.at(*one), nodes.at(other), rules, true); });
  }
  return pairs;
}

std::string why_none(const PlacementNodes& nodes, const PlacementRules& rules) {
  const auto takes = [](const auto& each) { return each.second.takes_replicas; };
  const auto usable = static_cast<std::size_t>(std::ranges::count_if(nodes, takes));
  if (usable < rules.replicas) return fmt::format("{} replicas are wanted, and {} servers take any", rules.replicas, usable);
  const PlacementRules pools_only{.replicas = rules.replicas};
  if (!Search({}, nodes, pools_only, false).run()) {
    return fmt::format("{} replicas are wanted, and there are not as many processes to keep them apart", rules.replicas);
  }
  std::string labels;
  for (const AntiAffinity& rule : rules.anti_affinities) {
    if (rule.mode != AntiAffinity::Mode::strict) continue;
    for (const std::string& name : rule.labels) labels += (labels.empty() ? "" : ", ") + name;
  }
  return fmt::format("{} replicas are wanted, and strict anti-affinity ({}) leaves fewer places", rules.replicas, labels);
}

bool is_worth(double gain, double carried) { return gain >= gain_min && gain >= gain_part_min * carried; }

// What the fuller of two nodes is relieved of when this moves.
double gain_of(double from, double to, double moved) { return from - std::max(from - moved, to + moved); }

}   // namespace

std::string why_misplaced(const std::vector<NodeId>& voters, const PlacementNodes& nodes, const PlacementRules& rules) {
  if (voters.size() != rules.replicas) return fmt::format("{} replicas instead of {}", voters.size(), rules.replicas);
  for (auto one = voters.begin(); one != voters.end(); ++one) {
    const auto node = nodes.find(*one);
    if (node == nodes.end()) return fmt::format("node {} is gone", one->value());
    if (!node->second.takes_replicas) return fmt::format("{} takes no replicas", node->second.name);
    for (auto other = voters.begin(); other != one; ++other) {
      const PlacementNode& second = nodes.at(*other);
      if (share_pool(node->second, second)) {
        return fmt::format("{} and {} are one process", second.name, node->second.name);
      }
      if (kept_apart(node->second, second, rules, false)) {
        return fmt::format("strict anti-affinity keeps {} and {} apart", second.name, node->second.name);
      }
    }
  }
  return {};
}

Result<std::vector<NodeId>> choose_voters(const std::vector<NodeId>& current, const PlacementNodes& nodes,
                                          const PlacementRules& rules) {
  for (const bool relaxed_too : {true, false}) {
    if (auto found = Search(current, nodes, rules, relaxed_too).run()) return *std::move(found);
  }
  return fail(Errc::unavailable, why_none(nodes, rules) + ": add servers, or ask for less");
}

std::optional<BalancingStep> propose_move(const std::vector<PlacedShard>& shards, const PlacementNodes& nodes) {
  std::optional<BalancingStep> best;
  double best_gain = 0;
  for (const PlacedShard& shard : shards) {
    for (const NodeId from : shard.voters) {
      const auto source = nodes.find(from);
      if (source == nodes.end() || !source->second.present) continue;
      for (const auto& [to, target] : nodes) {
        if (!target.present) continue;
        const double gain = gain_of(source->second.load, target.load, shard.load);
        if (gain <= best_gain || !is_worth(gain, source->second.load) || holds(shard.voters, to)) continue;
        std::vector<NodeId> moved = shard.voters;
        std::ranges::replace(moved, from, to);
        if (!why_misplaced(moved, nodes, *shard.rules).empty() || !why_misplaced(shard.voters, nodes, *shard.rules).empty())
          continue;
        if (relaxed_conflicts(moved, nodes, *shard.rules) > relaxed_conflicts(shard.voters, nodes, *shard.rules)) continue;
        best = {shard.shard, from, to};
        best_gain = gain;
      }
    }
  }
  return best;
}

std::optional<BalancingStep> propose_transfer(const std::vector<PlacedShard>& shards, const PlacementNodes& nodes) {
  std::optional<BalancingStep> best;
  double best_gain = 0;
  for (const PlacedShard& shard : shards) {
    if (!shard.leader) continue;
    const auto source = nodes.find(*shard.leader);
    if (source == nodes.end()) continue;
    const bool leaves = !source->second.takes_replicas;
    for (const NodeId to : shard.voters) {
      const auto target = nodes.find(to);
      if (to == *shard.leader || target == nodes.end() || !target->second.takes_leaders) continue;
      double gain = gain_of(source->second.leader_load, target->second.leader_load, shard.leader_load);
      // Of those that it may go to, the one that carries least.
      if (leaves) gain = 1e9 - target->second.leader_load;
      if (gain <= best_gain || (!leaves && !is_worth(gain, source->second.leader_load))) continue;
      best = {shard.shard, *shard.leader, to};
      best_gain = gain;
    }
  }
  return best;
}

}   // namespace skerry::control
