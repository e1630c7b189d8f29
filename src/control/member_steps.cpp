// SPDX-License-Identifier: Apache-2.0
#include "control/member_steps.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/assert.hpp"
#include "base/limits.hpp"
#include "control/node_lists.hpp"

namespace skerry::control {
namespace {

constexpr Duration ask_again_min = 50ms, ask_again_max = 5s;
constexpr Duration confirmation_patience = 250ms;   // with a new leader, which says by itself what it has confirmed
constexpr std::uint64_t learning_bytes_max = 4 << 20;   // of shards that one node learns at once, where they are several
constexpr Duration removed_node_patience = 1min;   // with a failed node that the configuration no longer has

std::vector<NodeId> without(const std::vector<NodeId>& nodes, const std::vector<NodeId>& others) {
  std::vector<NodeId> rest;
  std::ranges::copy_if(nodes, std::back_inserter(rest), [&](NodeId node) { return !holds(others, node); });
  return rest;
}

}  // namespace

void MemberSteps::look(ShardId id) {
  const ShardStatus& shard = *desk_.book.find(id);
  // Once a reshape has begun to take hold, members stay as they are until it has ended.
  const ReshapeStatus* reshape = desk_.reshape_of(id);
  const bool stays = reshape != nullptr && reshape->phase != ReshapeStatus::Phase::preparing;
  if (shard.state == ShardState::steady && !stays) look_at_members(id);
  if (desk_.book.find(id) != nullptr) look_at_deletions(id);
}

void MemberSteps::forget(ShardId id) {
  works_.erase(id);
  moving_.erase(id);
}

// --- steps

void MemberSteps::look_at_members(ShardId id) {
  if (is_there(*desk_.book.find(id))) arrive(id);
  const ShardStatus& shard = *desk_.book.find(id);
  Work& work = works_[id];
  // Also where no step is to follow: the leader must hear of the last one.
  if (!is_confirmed(id, shard, work)) return ask_leader(id, shard, work);
  if (shard.members.joint()) {
    replica::Membership next{
        .version = shard.members.version.next(), .old_voters = {}, .voters = shard.members.voters, .learners = {}};
    return change(id, std::move(next));
  }
  if (!is_there(shard)) step_towards(id, target_of(shard));
}

bool MemberSteps::is_there(const ShardStatus& shard) {
  return !shard.members.joint() && shard.members.learners.empty() && sorted(shard.members.voters) == target_of(shard);
}

bool MemberSteps::are_settled(ShardId id) const {
  const ShardStatus& shard = *desk_.book.find(id);
  const auto work = works_.find(id);
  return shard.state == ShardState::steady && shard.wanted.empty() && is_there(shard) && work != works_.end() &&
         is_confirmed(id, shard, work->second);
}

bool MemberSteps::is_confirmed(ShardId id, const ShardStatus& shard, const Work& work) const {
  if (work.confirmed == std::pair(shard.term, shard.members.version)) return true;
  const ReplicaReport* report = desk_.reports.find(id, *shard.leader);
  return report != nullptr && report->role == ReplicaReport::Role::leader && report->term == shard.term &&
         report->confirmed == shard.members.version;
}

void MemberSteps::ask_leader(ShardId id, const ShardStatus& shard, Work& work) {
  Asked& asked = work.change;
  // Until it has reported, it may well know and have confirmed.
  if (asked.out || !desk_.detector.responds(*shard.leader) || !desk_.reports.is_complete(*shard.leader)) return;
  if (!desk_.book.is_stored(id)) return desk_.look_when_stored(id);
  if (desk_.now < asked.again_at) return desk_.look_at(id, asked.again_at);
  asked.out = true;
  desk_.call({.to = *shard.leader,
              .shard = id,
              .what = replica::ChangeMembers{.term = shard.term, .membership = shard.members},
              .patience = limits::node_call_patience});
}

void MemberSteps::step_towards(ShardId id, const std::vector<NodeId>& target) {
  const ShardStatus& shard = *desk_.book.find(id);
  replica::Membership next = shard.members;
  next.version = next.version.next();
  const std::vector<NodeId> missing = without(target, shard.members.voters);
  if (sorted(shard.members.learners) != missing) {
    if (!may_begin(id, missing)) return;
    next.learners = missing;
    return change(id, std::move(next));
  }
  if (!have_caught_up(id, shard)) return;
  next.old_voters = shard.members.voters;
  next.voters = target;
  next.learners.clear();
  change(id, std::move(next));
}

// A replica that is still to be deleted must be, before the node takes part again; and that in another term.
bool MemberSteps::may_begin(ShardId id, const std::vector<NodeId>& learners) {
  const ShardStatus& shard = *desk_.book.find(id);
  const auto must_wait = [&](NodeId node) { return holds(shard.removed, node) || holds(shard.erased, node); };
  if (std::ranges::any_of(learners, must_wait)) return false;
  if (learners.empty()) return true;
  if (!moving_.contains(id)) {
    if (moving_.size() >= limits::moves_at_once_max) return false;
    if (!std::ranges::all_of(learners, [&](NodeId node) { return has_room(id, node); })) return false;
  }
  moving_[id] = learners;
  return true;
}

// One shard after the other, unless they are small: what a node takes in shares core and disk with what it serves.
bool MemberSteps::has_room(ShardId id, NodeId node) const {
  std::uint64_t bytes = 0;
  bool any = false;
  for (const auto& [moving, learners] : moving_) {
    if (!holds(learners, node)) continue;
    any = true;
    bytes += bytes_of(moving);
  }
  return !any || bytes + bytes_of(id) <= learning_bytes_max;
}

std::uint64_t MemberSteps::bytes_of(ShardId id) const {
  const auto load = desk_.reports.load(id);
  return load ? load->bytes : 0;
}

bool MemberSteps::have_caught_up(ShardId id, const ShardStatus& shard) const {
  const ReplicaReport* report = desk_.reports.find(id, *shard.leader);
  if (shard.members.learners.empty()) return true;
  if (report == nullptr || report->term != shard.term) return false;
  return std::ranges::all_of(shard.members.learners, [&](NodeId node) {
    const auto found = std::ranges::find(report->followers, node, &ReplicaReport::Follower::node);
    return found != report->followers.end() && found->streaming &&
           found->matched.value() + limits::learner_lag_entries_max >= report->head.value() && desk_.detector.responds(node);
  });
}

void MemberSteps::change(ShardId id, replica::Membership next) {
  ShardStatus& shard = desk_.book.edit(id);
  SKERRY_ASSERT(replica::is_step(shard.members, next) && next.check());
  const std::vector<NodeId> before = shard.members.members();
  shard.members = std::move(next);
  const std::vector<NodeId> now = shard.members.members();
  for (const NodeId node : without(before, now)) {
    if (!holds(shard.removed, node)) shard.removed.push_back(node);
  }
  works_[id].change = {};
  if (is_there(shard)) arrive(id);
  desk_.inform(fmt::format("{}: membership {}: voters {}{}{}", desk_.name_of(id), shard.members.version.value(),
                           desk_.names_of(shard.members.voters),
                           shard.members.joint() ? ", with " + desk_.names_of(shard.members.old_voters) : "",
                           shard.members.learners.empty() ? "" : ", learners " + desk_.names_of(shard.members.learners)));
  desk_.structure_changed();
  desk_.look_when_stored(id);
}

// The way ends: whoever waits for a turn may begin.
void MemberSteps::arrive(ShardId id) {
  if (!desk_.book.find(id)->wanted.empty()) desk_.book.edit(id).wanted.clear();
  if (moving_.erase(id) > 0) desk_.look_at_all();
}

// --- deletions

void MemberSteps::look_at_deletions(ShardId id) {
  const ShardStatus& shard = *desk_.book.find(id);
  if (shard.removed.empty()) return;
  Work& work = works_[id];
  const bool may = shard.state == ShardState::deleting ||
                   (shard.state == ShardState::steady && !shard.members.joint() && is_confirmed(id, shard, work));
  if (!may) return;
  if (!desk_.book.is_stored(id)) return desk_.look_when_stored(id);
  for (const NodeId node : std::vector<NodeId>(shard.removed)) {
    if (is_gone_for_good(node)) {
      deleted(id, node);
    } else if (shard.state == ShardState::deleting || (!shard.members.has(node) && shard.leader != node)) {
      ask_to_delete(id, node, work.deletions[node]);
    }
  }
}

bool MemberSteps::is_gone_for_good(NodeId id) const {
  const NodeStatus* node = desk_.book.find(id);
  if (node == nullptr || node->lost) return true;
  const auto failed = desk_.detector.failed_since(id);
  return node->removed && failed && desk_.now - *failed >= removed_node_patience;
}

void MemberSteps::ask_to_delete(ShardId id, NodeId node, Asked& asked) {
  const auto failed = desk_.detector.failed_since(node);
  if (failed && desk_.book.find(node)->removed) desk_.look_at(id, *failed + removed_node_patience);
  if (asked.out || !desk_.detector.responds(node)) return;
  if (desk_.now < asked.again_at) return desk_.look_at(id, asked.again_at);
  asked.out = true;
  desk_.call({.to = node, .shard = id, .what = DeleteReplica{desk_.book.find(id)->term}, .patience = limits::node_call_patience});
}

void MemberSteps::deleted(ShardId id, NodeId node) {
  ShardStatus& shard = desk_.book.edit(id);
  std::erase(shard.removed, node);
  if (!holds(shard.erased, node)) shard.erased.push_back(node);
  works_[id].deletions.erase(node);
  desk_.structure_changed();
  desk_.look_at(id);
}

// --- answers

void MemberSteps::replied(const NodeCall& call, const NodeReply& reply) {
  const ShardStatus* shard = desk_.book.find(call.shard);
  const auto work = works_.find(call.shard);
  if (shard == nullptr || work == works_.end()) return;
  desk_.look_at(call.shard);
  if (const auto* change = std::get_if<replica::ChangeMembers>(&call.what)) {
    // Of a step that is over, or of a leader that leads no more.
    if (call.term() != shard->term || change->membership.version != shard->members.version) return;
    take_change(work->second, call, reply);
  } else {
    take_deletion(work->second, call, reply);
  }
}

void MemberSteps::take_change(Work& work, const NodeCall& call, const NodeReply& reply) {
  const auto* taken = std::get_if<MembersTaken>(&reply);
  if (taken != nullptr && taken->confirmed) {
    work.confirmed = {call.term(), std::get<replica::ChangeMembers>(call.what).membership.version};
    work.change = {};
  } else {
    ask_later(work.change, reply, taken != nullptr ? ask_again_min : ask_again_max);
  }
}

void MemberSteps::take_deletion(Work& work, const NodeCall& call, const NodeReply& reply) {
  if (std::holds_alternative<ReplicaDeleted>(reply)) return deleted(call.shard, call.to);
  ask_later(work.deletions[call.to], reply, ask_again_max);
  // Of a shard that is going, no term counts any more but the highest.
  const auto* refused = std::get_if<Refused>(&reply);
  const ShardStatus& shard = *desk_.book.find(call.shard);
  if (refused != nullptr && refused->known && *refused->known > shard.term && shard.state == ShardState::deleting) {
    desk_.book.edit(call.shard).term = refused->known->next();
  }
}

void MemberSteps::ask_later(Asked& asked, const NodeReply& reply, Duration pause_max) {
  const auto* refused = std::get_if<Refused>(&reply);
  asked.out = false;
  asked.refusal = refused == nullptr ? "" : refused->why;
  asked.pause = std::clamp<Duration>(2 * asked.pause, ask_again_min, pause_max);
  asked.again_at = desk_.now + asked.pause;
}

void MemberSteps::took_the_lead(ShardId shard) {
  Asked& asked = works_[shard].change;
  asked = {};
  asked.again_at = desk_.now + confirmation_patience;
}

// --- words

std::string MemberSteps::why_not_yet(ShardId id) const {
  const ShardStatus& shard = *desk_.book.find(id);
  const auto work = works_.find(id);
  if (shard.state == ShardState::deleting) return "waits until its replicas are deleted on " + desk_.names_of(shard.removed);
  if (shard.members.joint()) return fmt::format("waits until its leader confirms membership {}", shard.members.version.value());
  if (!shard.members.learners.empty()) {
    return fmt::format("waits until {} has caught up", desk_.names_of(shard.members.learners));
  }
  if (!shard.wanted.empty()) return fmt::format("waits for its turn to get the voters {}", desk_.names_of(shard.wanted));
  if (shard.removed.empty()) return {};
  std::string text = "waits until its former replicas are deleted on " + desk_.names_of(shard.removed);
  for (const NodeId node : shard.removed) {
    if (work == works_.end()) break;
    const auto asked = work->second.deletions.find(node);
    if (asked != work->second.deletions.end() && !asked->second.refusal.empty()) {
      text += fmt::format("; {}: {}", desk_.name_of(node), asked->second.refusal);
    }
  }
  return text;
}

}  // namespace skerry::control
