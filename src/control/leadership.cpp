// SPDX-License-Identifier: Apache-2.0
#include "control/leadership.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hpp"

namespace skerry::control {
namespace {

constexpr Duration served_well = 10s;   // then the next loss of power is met with the shortest patience again
constexpr int transfer_attempts_max = 5;
constexpr Duration transfer_pause = 500ms;

}  // namespace

void Leadership::look(ShardId id) {
  const ShardStatus& shard = *desk_.book.find(id);
  if (shard.state == ShardState::deleting || shard.state == ShardState::fenced || elections_.is_running(id)) return;
  Watch& watch = watches_[id];
  auto wish = shard.state == ShardState::election ? ElectionWish{.why = "nobody leads", .preferred = {}, .shunned = {}}
                                                  : cause(id, shard, watch);
  if (!wish || !desk_.has_responding_majority(shard.members)) return;
  begin(id, *std::move(wish));
}

void Leadership::begin(ShardId id, ElectionWish wish) {
  Watch& watch = watches_[id];
  if (watch.transfer && !wish.preferred) wish.preferred = watch.transfer->to;
  watch.powerless_since.reset();
  elections_.begin(id, std::move(wish));
}

void Leadership::took_the_lead(ShardId id) {
  Watch& watch = watches_[id];
  watch.accepted_here = true;
  watch.lost = false;
  watch.powerless_since = desk_.now;
  desk_.leaders_changed();
  desk_.look_at(id);
}

void Leadership::restarted(NodeId node) {
  for (auto& [id, watch] : watches_) {
    const ShardStatus* shard = desk_.book.find(id);
    if (shard != nullptr && shard->leader == node) watch.lost = true;
  }
}

// --- causes

std::optional<ElectionWish> Leadership::cause(ShardId id, const ShardStatus& shard, Watch& watch) {
  if (auto wish = cause_of_node(shard, watch)) return wish;
  if (auto wish = cause_of_terms(id, shard)) return wish;
  if (auto wish = cause_of_report(id, shard, watch)) return wish;
  return cause_of_wishes(id, shard, watch);
}

std::optional<ElectionWish> Leadership::cause_of_node(const ShardStatus& shard, const Watch& watch) const {
  const NodeId leader = *shard.leader;
  const NodeStatus* node = desk_.book.find(leader);
  const std::string name = desk_.name_of(leader);
  if (node == nullptr || node->lost) return ElectionWish{name + " has lost what it held", {}, {}};
  if (desk_.detector.condition(leader) == NodeCondition::failed) return ElectionWish{name + " has failed", {}, {}};
  if (watch.lost) return ElectionWish{name + " has been started anew", {}, {}};
  if (desk_.detector.is_disk_silent(leader)) return ElectionWish{fmt::format("the disk of {} does not answer", name), {}, leader};
  return std::nullopt;
}

// Nobody has been told of a term that the status does not have, unless it is an older one than there was.
std::optional<ElectionWish> Leadership::cause_of_terms(ShardId id, const ShardStatus& shard) const {
  const auto [term, node] = desk_.reports.highest_term(id);
  if (term <= shard.term) return std::nullopt;
  return ElectionWish{fmt::format("{} knows term {}", desk_.name_of(node), term.value()), {}, {}};
}

std::optional<ElectionWish> Leadership::cause_of_report(ShardId id, const ShardStatus& shard, Watch& watch) {
  using Role = ReplicaReport::Role;
  const NodeId leader = *shard.leader;
  if (!desk_.reports.is_complete(leader)) return std::nullopt;
  const ReplicaReport* report = desk_.reports.find(id, leader);
  const std::string name = desk_.name_of(leader);
  if (report != nullptr && report->role == Role::failed) {
    return ElectionWish{fmt::format("{} can't keep it: {}", name, report->reason), {}, leader};
  }
  const bool leads = report != nullptr && report->role == Role::leader && report->term == shard.term;
  if (!leads && !watch.accepted_here) return ElectionWish{name + " does not lead it", {}, {}};
  if (leads && report->serving) {
    if (watch.powerless_since) watch.serving_since = desk_.now;
    watch.powerless_since.reset();
    if (desk_.now - watch.serving_since > served_well) watch.patience = limits::leader_powerless_max;
    return std::nullopt;
  }
  if (!is_powerless_for_long(id, watch)) return std::nullopt;
  if (desk_.has_responding_majority(shard.members)) {
    watch.patience = std::min<Duration>(2 * watch.patience, limits::leader_powerless_patience_max);
    desk_.detector.distrust(leader, desk_.now);
  }
  return ElectionWish{name + " leads without power", {}, leader};
}

bool Leadership::is_powerless_for_long(ShardId id, Watch& watch) {
  if (!watch.powerless_since) watch.powerless_since = desk_.now;
  watch.patience = std::max<Duration>(watch.patience, limits::leader_powerless_max);
  const TimePoint until = *watch.powerless_since + watch.patience;
  if (desk_.now >= until) return true;
  desk_.look_at(id, until);
  return false;
}

std::optional<ElectionWish> Leadership::cause_of_wishes(ShardId id, const ShardStatus& shard, Watch& watch) {
  const NodeId leader = *shard.leader;
  const ReplicaReport* report = desk_.reports.find(id, leader);
  const bool confirmed = report != nullptr && report->term == shard.term && report->confirmed == shard.members.version;
  if (!shard.members.votes(leader) && confirmed) {
    return ElectionWish{desk_.name_of(leader) + " votes no more", {}, leader};
  }
  const auto is_to_return = [&](NodeId node) {
    return std::ranges::find(shard.wanted, node) != shard.wanted.end() && !shard.members.has(node);
  };
  if (const auto erased = std::ranges::find_if(shard.erased, is_to_return);
      erased != shard.erased.end() && !shard.members.joint()) {
    return ElectionWish{desk_.name_of(*erased) + " is to be a member again", leader, {}};
  }
  if (!watch.transfer) return std::nullopt;
  Transfer& transfer = *watch.transfer;
  const bool done = transfer.away_from ? leader != *transfer.away_from : leader == transfer.to;
  if (done || !shard.members.votes(transfer.to)) {
    end_transfer(watch);
    return std::nullopt;
  }
  if (transfer.attempts == transfer_attempts_max) {
    desk_.warn(
        fmt::format("{}: {} does not get the lead: others are ahead of it", desk_.name_of(id), desk_.name_of(transfer.to)));
    end_transfer(watch);
    return std::nullopt;
  }
  if (desk_.now < transfer.again_at) {
    desk_.look_at(id, transfer.again_at);
    return std::nullopt;
  }
  if (!desk_.detector.responds(transfer.to)) {
    if (transfer.away_from) end_transfer(watch);   // who is drained does not wait for it
    return std::nullopt;
  }
  ++transfer.attempts;
  transfer.again_at = desk_.now + transfer_pause;
  // One that lags far behind would not get it: it may catch up.
  const auto lags = [&transfer](const ReplicaReport::Follower& each) { return each.node == transfer.to && !each.streaming; };
  if (report != nullptr && std::ranges::any_of(report->followers, lags)) {
    desk_.look_at(id, transfer.again_at);
    return std::nullopt;
  }
  return ElectionWish{desk_.name_of(transfer.to) + " is to lead", transfer.to, leader};
}

void Leadership::end_transfer(Watch& watch) {
  watch.transfer.reset();
  desk_.plan_soon();   // somebody may have waited for it
}

void Leadership::wish_transfer(ShardId shard, NodeId to) {
  watches_[shard].transfer = Transfer{.to = to};
  desk_.look_at(shard);
}

void Leadership::wish_away(ShardId shard, NodeId to) {
  watches_[shard].transfer = Transfer{.to = to, .away_from = desk_.book.find(shard)->leader};
  desk_.look_at(shard);
}

bool Leadership::is_transferring(ShardId shard) const {
  const auto found = watches_.find(shard);
  return found != watches_.end() && found->second.transfer;
}

bool Leadership::is_led(const ShardStatus& shard) const {
  if (shard.state != ShardState::steady || desk_.detector.condition(*shard.leader) == NodeCondition::failed) return false;
  const NodeStatus* const leader = desk_.book.find(*shard.leader);
  return leader != nullptr && !leader->lost;
}

// --- words

std::string Leadership::why_not_yet(ShardId id) const {
  if (std::string why = elections_.why_not_yet(id); !why.empty()) return why;
  const ShardStatus& shard = *desk_.book.find(id);
  const auto watch = watches_.find(id);
  if (shard.state == ShardState::fenced) return {};
  const bool powerless = watch != watches_.end() && watch->second.powerless_since;
  const bool led = is_led(shard);
  if (led && !powerless) return {};
  if (led && desk_.has_responding_majority(shard.members)) {
    return desk_.name_of(*shard.leader) + " leads and does not serve yet";
  }
  std::string silent;
  for (const NodeId node : shard.members.members()) {
    if (!desk_.detector.responds(node)) silent += (silent.empty() ? "" : ", ") + desk_.name_of(node);
  }
  return fmt::format("{} without a majority of its voters, and these don't answer: {}",
                     led ? desk_.name_of(*shard.leader) + " leads and can't serve" : "has no leader; no election", silent);
}

}  // namespace skerry::control
