// SPDX-License-Identifier: Apache-2.0
#include "control/reshapes.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.hpp"
#include "base/limits.hpp"
#include "control/node_lists.hpp"
#include "control/reshape_limits.hpp"

namespace skerry::control {
namespace {

bool is_for_good(const Refused& refused) {
  return refused.reason == Refused::Reason::foreign_records || refused.reason == Refused::Reason::sessions_collide;
}

}  // namespace

// What children were made of just now may still be served by somebody who has not heard.
void Reshapes::take_office() {
  const Duration longest = limits::lease_length + limits::lease_length / limits::clock_rate_error_part;
  const auto& shards = desk_.book.status().shards;
  for (const auto& [id, shard] : shards) {
    const bool follows_others = std::ranges::any_of(shards, [&](const auto& each) {
      return each.second.state == ShardState::deleting && each.second.name_space == shard.name_space;
    });
    if (shard.state != ShardState::deleting && (follows_others || desk_.is_child(id))) elections_.bar(id, longest);
  }
}

// --- the walk

void Reshapes::look(ShardId id) {
  lift_stray_seal(id);
  const std::optional<ShardId> first = desk_.book.find(id)->reshaped_with;
  if (!first) {
    works_.erase(id);
    return;
  }
  Work& work = work_of(*first);
  switch (work.phase) {
    case Phase::preparing: return prepare(*first, work);
    case Phase::sealing: return seal(*first, work);
    case Phase::reshaping: return reshape(*first, work);
    case Phase::electing: return elect(*first);
  }
}

void Reshapes::forget(ShardId shard) {
  works_.erase(shard);
  stray_seals_.erase(shard);
  given_up_.erase(shard);
}

Reshapes::Work& Reshapes::work_of(ShardId first) {
  const Phase phase = of(first).phase;
  const auto [found, fresh] = works_.try_emplace(first);
  Work& work = found->second;
  if (!fresh && work.phase == phase) return work;
  work = Work{.phase = phase, .since = desk_.now, .copies = {}, .seals = {}, .fences = {}, .formers = std::move(work.formers)};
  return work;
}

bool Reshapes::is_stored(ShardId first) {
  const auto stored = [this](ShardId shard) { return desk_.book.is_stored(shard); };
  const ReshapeStatus& reshape = of(first);
  if (std::ranges::all_of(reshape.parents, stored) && std::ranges::all_of(reshape.children, stored)) return true;
  desk_.look_when_stored(first);
  return false;
}

bool Reshapes::may_ask(ShardId first, NodeId node, Asked& asked) {
  if (asked.out || asked.done || !desk_.detector.responds(node)) return false;
  if (desk_.now < asked.again_at) {
    desk_.look_at(first, asked.again_at);
    return false;
  }
  asked.out = true;
  return true;
}

void Reshapes::note_failure(ShardId first, Asked& asked, const NodeReply& reply) {
  const auto* refused = std::get_if<Refused>(&reply);
  if (refused != nullptr && refused->reason != Refused::Reason::behind) ++asked.refusals;   // it catches up
  asked.trouble = refused == nullptr ? "" : refused->why;
  asked.again_at = desk_.now + (refused == nullptr ? limits::reshape_retry_pause : limits::reshape_refused_pause);
  desk_.look_at(first, asked.again_at);
}

Reshape Reshapes::asked_for(ShardId first) const {
  const ShardStatus& shard = *desk_.book.find(first);
  const NamespaceStatus& space = *desk_.book.find(shard.name_space);
  const ReshapeStatus& status = *shard.reshape;
  Reshape asked{.parents = {},
                .children = {},
                .name_space = shard.name_space,
                .order = space.order,
                .notifications = space.notifications,
                .term = desk_.book.find(status.children.front())->term};
  for (std::size_t i = 0; i < status.parents.size(); ++i) {
    const replica::EntryId head = status.heads.empty() ? replica::EntryId() : status.heads[i];
    asked.parents.push_back({status.parents[i], desk_.book.find(status.parents[i])->term, head});
  }
  for (const ShardId child : status.children) asked.children.push_back({child, desk_.book.find(child)->hashes});
  return asked;
}

// --- preparing

void Reshapes::prepare(ShardId first, Work& work) {
  if (!is_stored(first)) return;
  if (const std::string why = why_hopeless(first, work); !why.empty()) return give_up(first, why);
  if (!bring_together(first)) return;
  for (const NodeId node : desk_.book.find(first)->members.voters) {
    Asked& asked = work.copies[node];
    if (asked.refusals >= limits::reshape_refusals_max || !may_ask(first, node, asked)) continue;
    desk_.call(
        {.to = node, .shard = first, .what = PrepareReshape{asked_for(first)}, .patience = limits::reshape_prepare_patience});
  }
  if (!have_prepared(first, work) || !may_seal(first)) return;
  desk_.inform(
      fmt::format("{}: {} is prepared; no writes are taken until it has ended", desk_.name_of(first), words_for(of(first))));
  edit(first).phase = Phase::sealing;
  desk_.look_when_stored(first);
}

// A merge needs both parents on the same nodes: the right one's replicas move.
bool Reshapes::bring_together(ShardId first) {
  const std::vector<NodeId> voters = sorted(desk_.book.find(first)->members.voters);
  bool together = true;
  for (const ShardId parent : of(first).parents) {
    const ShardStatus& shard = *desk_.book.find(parent);
    const bool moving = !shard.wanted.empty() || shard.members.joint() || !shard.members.learners.empty();
    if (moving) {
      together = false;
    } else if (sorted(shard.members.voters) != voters) {
      together = false;
      desk_.book.edit(parent).wanted = voters;
      desk_.inform(fmt::format("{}: is to have the voters {}, to be merged", desk_.name_of(parent), desk_.names_of(voters)));
      desk_.look_at(parent);
    }
  }
  return together;
}

// All of the members have prepared, but for those that don't answer or can't; and those that have are a majority.
bool Reshapes::have_prepared(ShardId first, const Work& work) const {
  const std::vector<NodeId>& voters = desk_.book.find(first)->members.voters;
  const bool all = std::ranges::all_of(voters, [&](NodeId node) {
    const auto asked = work.copies.find(node);
    if (asked == work.copies.end()) return false;
    return asked->second.done || asked->second.refusals >= limits::reshape_refusals_max || !desk_.detector.responds(node);
  });
  const bool late = desk_.now - work.since >= limits::reshape_prepare_max;
  return (all || late) && has_majority(first, [&](NodeId node) {
           const auto asked = work.copies.find(node);
           return asked != work.copies.end() && asked->second.done;
         });
}

bool Reshapes::may_seal(ShardId first) const {
  return std::ranges::all_of(of(first).parents, [&](ShardId parent) {
    const ShardStatus& shard = *desk_.book.find(parent);
    if (shard.state != ShardState::steady || elections_.is_running(parent)) return false;
    const ReplicaReport* report = desk_.reports.find(parent, *shard.leader);
    return report != nullptr && report->serving && report->term == shard.term && steps_.are_settled(parent) &&
           desk_.has_responding_majority(shard.members);
  });
}

std::string Reshapes::why_hopeless(ShardId first, const Work& work) const {
  for (const ShardId parent : of(first).parents) {
    for (const NodeId node : desk_.book.find(parent)->members.voters) {
      const NodeStatus* status = desk_.book.find(node);
      if (status == nullptr || status->lost) {
        return fmt::format("{} has lost what it held: wait until {} has another replica", desk_.name_of(node),
                           desk_.name_of(parent));
      }
    }
  }
  std::string trouble;
  const bool possible = has_majority(first, [&](NodeId node) {
    const auto asked = work.copies.find(node);
    const bool refused = asked != work.copies.end() && asked->second.refusals >= limits::reshape_refusals_max;
    if (refused) trouble = fmt::format("{} can't prepare it: {}", desk_.name_of(node), asked->second.trouble);
    return !refused;
  });
  return possible ? std::string() : trouble;
}

// --- sealing

void Reshapes::seal(ShardId first, Work& work) {
  if (!is_stored(first)) return;
  if (desk_.now - work.since >= limits::reshape_seal_patience) {
    return give_up(first, "its writes did not end in time; it " + waits_for(first));
  }
  desk_.look_at(first, work.since + limits::reshape_seal_patience);
  bool all = true;
  for (const ShardId parent : of(first).parents) {
    const ShardStatus& shard = *desk_.book.find(parent);
    Seal& seal = work.seals[parent];
    // Another leader, or the same in another term, has to be told again.
    if (shard.state != ShardState::steady || seal.term != shard.term) seal = {.term = shard.term, .asked = {}, .head = {}};
    const bool led = shard.state == ShardState::steady && !elections_.is_running(parent);
    all = all && led && seal.head;
    if (!led || seal.head || !may_ask(first, *shard.leader, seal.asked)) continue;
    desk_.call({.to = *shard.leader, .shard = parent, .what = SealShard{shard.term}, .patience = limits::node_call_patience});
  }
  if (all) fence_parents(first, work);
}

void Reshapes::fence_parents(ShardId first, Work& work) {
  const std::vector<ShardId> parents = of(first).parents, children = of(first).children;
  Term highest = no_term;
  for (const ShardId parent : parents) {
    edit(first).heads.push_back(*work.seals[parent].head);
    work.formers[parent] = *desk_.book.find(parent)->leader;
    desk_.book.set_leader(parent, std::nullopt);
    ShardStatus& shard = desk_.book.edit(parent);
    shard.term = std::max(shard.term, desk_.reports.highest_term(parent).first).next();
    shard.state = ShardState::fenced;
    shard.erased.clear();
    highest = std::max(highest, shard.term);
  }
  for (const ShardId child : children) {
    ShardStatus& shard = desk_.book.edit(child);
    shard.term = highest;
    shard.members = {
        .version = MembershipVersion(1), .old_voters = {}, .voters = desk_.book.find(first)->members.voters, .learners = {}};
  }
  edit(first).phase = Phase::reshaping;
  desk_.look_when_stored(first);
}

// One that no reshape knows of: it was given up, or the word to seal came late.
void Reshapes::lift_stray_seal(ShardId id) {
  const ShardStatus& shard = *desk_.book.find(id);
  const ReshapeStatus* reshape = desk_.reshape_of(id);
  const bool meant = reshape != nullptr && reshape->phase == Phase::sealing;
  if (shard.state != ShardState::steady || meant) {
    stray_seals_.erase(id);
    return;
  }
  const ReplicaReport* report = desk_.reports.find(id, *shard.leader);
  if (report != nullptr && report->sealed && report->term == shard.term) stray_seals_.try_emplace(id, shard.term, Asked{});
  const auto found = stray_seals_.find(id);
  if (found == stray_seals_.end()) return;
  auto& [term, asked] = found->second;
  if (term != shard.term) {
    stray_seals_.erase(found);
    return;
  }
  if (!desk_.book.is_stored(id)) return desk_.look_when_stored(id);
  if (!may_ask(id, *shard.leader, asked)) return;
  desk_.call({.to = *shard.leader, .shard = id, .what = UnsealShard{shard.term}, .patience = limits::node_call_patience});
}

// --- reshaping

template <class Predicate>
bool Reshapes::has_majority(ShardId first, Predicate has) const {
  return std::ranges::all_of(of(first).parents,
                             [&](ShardId parent) { return desk_.book.find(parent)->members.has_majority(has); });
}

void Reshapes::reshape(ShardId first, Work& work) {
  if (!is_stored(first)) return;
  const std::vector<NodeId> voters = desk_.book.find(first)->members.voters;
  for (const ShardId parent : of(first).parents) fence(first, parent, work);
  for (const NodeId node : voters) {
    if (!stands_at_heads(first, work, node) || !may_ask(first, node, work.copies[node])) continue;
    desk_.call({.to = node, .shard = first, .what = asked_for(first), .patience = limits::reshape_copy_patience});
  }
  if (has_majority(first, [&](NodeId node) { return work.copies[node].done; })) return elect_children(first, work);
  const auto may_still = [&](NodeId node) { return !is_beside_heads(first, work, node); };
  if (!has_majority(first, may_still)) return give_up(first, "more was written than the leaders had said");
  if (desk_.now - work.since >= limits::reshape_patience) {
    return give_up(first, "it took too long; it " + waits_for(first));
  }
  desk_.look_at(first, work.since + limits::reshape_patience);
}

void Reshapes::fence(ShardId first, ShardId parent, Work& work) {
  const ShardStatus& shard = *desk_.book.find(parent);
  const NamespaceStatus& space = *desk_.book.find(shard.name_space);
  Fences& fences = work.fences[parent];
  for (const NodeId node : shard.members.members()) {
    Asked& asked = fences.asked[node];
    if (!may_ask(first, node, asked)) continue;
    desk_.call({.to = node,
                .shard = parent,
                .what = FenceReplica{.term = {shard.term, shard.members.version},
                                     .name_space = shard.name_space,
                                     .order = space.order,
                                     .notifications = space.notifications},
                .patience = limits::node_call_patience});
  }
}

bool Reshapes::stands_at_heads(ShardId first, const Work& work, NodeId node) const {
  return std::ranges::all_of(of(first).parents,
                             [&](ShardId parent) {
                               const auto fences = work.fences.find(parent);
                               return fences != work.fences.end() && fences->second.answers.contains(node);
                             }) &&
         !is_beside_heads(first, work, node);
}

// It was fenced, and what it has is something else than what is to be copied.
bool Reshapes::is_beside_heads(ShardId first, const Work& work, NodeId node) const {
  const ReshapeStatus& reshape = of(first);
  for (std::size_t i = 0; i < reshape.parents.size(); ++i) {
    const auto fences = work.fences.find(reshape.parents[i]);
    if (fences == work.fences.end()) continue;
    const auto answer = fences->second.answers.find(node);
    if (answer != fences->second.answers.end() && answer->second.head != reshape.heads[i]) return true;
  }
  return false;
}

void Reshapes::elect_children(ShardId first, Work& work) {
  edit(first).phase = Phase::electing;
  Duration wait{};
  for (const auto& [parent, fences] : work.fences) wait = std::max(wait, lease_wait(fences.answers));
  const auto former = work.formers.find(first);
  const std::optional<NodeId> preferred = former == work.formers.end() ? std::nullopt : std::optional(former->second);
  for (const ShardId child : std::vector<ShardId>(of(first).children)) {
    ShardStatus& shard = desk_.book.edit(child);
    shard.state = ShardState::election;
    elections_.bar(child, wait);
    desk_.look_at(child);
    if (!desk_.has_responding_majority(shard.members)) continue;
    elections_.begin(child, {.why = "it was made of " + desk_.name_of(first), .preferred = preferred, .shunned = {}});
  }
  desk_.structure_changed();
}

// --- electing

void Reshapes::elect(ShardId first) {
  const auto is_led = [this](ShardId child) { return desk_.book.find(child)->state == ShardState::steady; };
  if (std::ranges::all_of(of(first).children, is_led)) swap(first);
}

void Reshapes::swap(ShardId first) {
  const ReshapeStatus reshape = of(first);
  desk_.inform(fmt::format("{}: {} is done", desk_.name_of(first), words_for(reshape)));
  for (const ShardId child : reshape.children) desk_.book.edit(child).reshaped_with.reset();
  for (const ShardId parent : reshape.parents) {
    desk_.retire(parent);
    forget(parent);
  }
  desk_.leaders_changed();
  desk_.plan_soon();
  for (const ShardId child : reshape.children) desk_.look_at(child);
}

// --- giving up

void Reshapes::give_up(ShardId first, const std::string& why) {
  const ReshapeStatus reshape = of(first);
  SKERRY_ASSERT(reshape.phase != Phase::electing);
  const std::string text = fmt::format("{} was given up: {}", words_for(reshape), why);
  desk_.warn(fmt::format("{}: {}", desk_.name_of(first), text));
  for (const ShardId child : reshape.children) desk_.retire(child);
  for (const ShardId parent : reshape.parents) {
    ShardStatus& shard = desk_.book.edit(parent);
    shard.reshape.reset();
    shard.reshaped_with.reset();
    if (shard.state == ShardState::fenced) shard.state = ShardState::election;
    if (shard.state == ShardState::steady && reshape.phase == Phase::sealing) {
      stray_seals_.try_emplace(parent, shard.term, Asked{});
    }
    given_up_[parent] = text;
    desk_.look_at(parent);
  }
  works_.erase(first);
  desk_.plan_soon();
}

// --- answers

void Reshapes::replied(const NodeCall& call, const NodeReply& reply) {
  if (desk_.book.find(call.shard) == nullptr) return;
  if (const auto* prepare = std::get_if<PrepareReshape>(&call.what)) return take_copy(call, prepare->reshape, reply);
  if (const auto* finish = std::get_if<Reshape>(&call.what)) return take_copy(call, *finish, reply);
  if (std::holds_alternative<SealShard>(call.what)) return take_seal(call, reply);
  if (std::holds_alternative<FenceReplica>(call.what)) return take_fence(call, reply);
  const auto stray = stray_seals_.find(call.shard);
  if (stray == stray_seals_.end() || stray->second.first != call.term()) return;
  stray->second.second.out = false;
  // Who refuses leads no more: what it had sealed is another's now.
  if (!std::holds_alternative<Unanswered>(reply)) stray_seals_.erase(stray);
  desk_.look_at(call.shard);
}

void Reshapes::take_copy(const NodeCall& call, const Reshape& asked, const NodeReply& reply) {
  const ShardId first = call.shard;
  const ReshapeStatus* reshape = desk_.reshape_of(first);
  // Of a reshape, or a phase of it, that is over.
  const Phase meant = std::holds_alternative<Reshape>(call.what) ? Phase::reshaping : Phase::preparing;
  if (reshape == nullptr || reshape->phase != meant || reshape->children.front() != asked.children.front().shard) return;
  const auto found = work_of(first).copies.find(call.to);
  if (found == works_[first].copies.end()) return;
  Asked& copy = found->second;
  copy.out = false;
  desk_.look_at(first);
  if (std::holds_alternative<Reshaped>(reply)) {
    copy.done = true;
    return;
  }
  note_failure(first, copy, reply);
  const auto* refused = std::get_if<Refused>(&reply);
  if (refused == nullptr) return;
  const bool outdated = meant == Phase::reshaping && refused->known && *refused->known > desk_.book.find(first)->term;
  if (is_for_good(*refused) || outdated) {
    give_up(first, fmt::format("{} can't do it: {}", desk_.name_of(call.to), refused->why));
  }
}

void Reshapes::take_seal(const NodeCall& call, const NodeReply& reply) {
  const ReshapeStatus* reshape = desk_.reshape_of(call.shard);
  if (reshape == nullptr || reshape->phase != Phase::sealing) return;
  const ShardId first = reshape->parents.front();
  Seal& seal = work_of(first).seals[call.shard];
  if (seal.term != call.term()) return;
  seal.asked.out = false;
  desk_.look_at(first);
  if (const auto* sealed = std::get_if<ShardSealed>(&reply)) {
    seal.head = sealed->head;
  } else {
    note_failure(first, seal.asked, reply);
  }
}

void Reshapes::take_fence(const NodeCall& call, const NodeReply& reply) {
  const ReshapeStatus* reshape = desk_.reshape_of(call.shard);
  if (reshape == nullptr || reshape->phase != Phase::reshaping || std::ranges::count(reshape->parents, call.shard) == 0) return;
  if (call.term() != desk_.book.find(call.shard)->term) return;
  const ShardId first = reshape->parents.front();
  Fences& fences = work_of(first).fences[call.shard];
  Asked& asked = fences.asked[call.to];
  asked.out = false;
  desk_.look_at(first);
  if (const auto* answer = std::get_if<replica::NewTermAnswer>(&reply)) {
    asked.done = true;
    fences.answers[call.to] = *answer;
    return;
  }
  note_failure(first, asked, reply);
  const auto* refused = std::get_if<Refused>(&reply);
  if (refused != nullptr && refused->known && *refused->known > call.term()) {
    give_up(first,
            fmt::format("{} knows term {} of {}", desk_.name_of(call.to), refused->known->value(), desk_.name_of(call.shard)));
  }
}

}  // namespace skerry::control
