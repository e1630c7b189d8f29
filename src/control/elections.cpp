// SPDX-License-Identifier: Apache-2.0
#include "control/elections.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <tuple>

#include "base/assert.hpp"
#include "base/limits.hpp"
#include "control/node_lists.hpp"

namespace skerry::control {
namespace {

using Answers = std::map<NodeId, replica::NewTermAnswer>;

constexpr Duration ask_again_after = 50ms;
constexpr Duration pause_min = 50ms, pause_max = 5s;   // before another attempt; doubles
constexpr Duration telling_patience = 500ms;           // with the one that is to lead

Duration pause_after(int attempts) {
  if (attempts <= 1) return Duration();   // once, at once: what came between was probably a restart
  return std::min<Duration>(pause_max, pause_min * (1 << std::min(attempts - 2, 10)));
}

}  // namespace

// Who served in the newest term that a majority knows entries of was the last who could; if it is fenced, nobody serves.
Duration lease_wait(const std::map<NodeId, replica::NewTermAnswer>& answers) {
  Term newest = no_term;
  Duration longest{};
  for (const auto& [node, answer] : answers) {
    newest = std::max(newest, answer.head.term);
    longest = std::max(longest, answer.promised);
  }
  const auto was_last = [newest](const auto& each) { return each.second.served && each.second.head.term == newest; };
  return std::ranges::any_of(answers, was_last) ? Duration() : longest;
}

// --- attempts

void Elections::begin(ShardId shard, ElectionWish wish) {
  if (is_running(shard)) return;
  if (running_.size() >= limits::elections_at_once_max) {
    waiting_[shard] = std::move(wish);
    return;
  }
  Election& election = running_[shard];
  election.wish = std::move(wish);
  start(shard, election);
}

void Elections::start(ShardId id, Election& election) {
  const ShardStatus& shard = *desk_.book.find(id);
  if (!election.former) election.former = shard.leader;
  const auto [reported, reporter] = desk_.reports.highest_term(id);
  Term highest = std::max(shard.term, reported);
  if (const auto known = known_.find(id); known != known_.end()) highest = std::max(highest, known->second);
  if (highest > shard.term) {
    desk_.warn(
        fmt::format("{}: a replica knows term {}, the status only {}: the status is older than the cluster. Going on above it",
                    desk_.name_of(id), highest.value(), shard.term.value()));
  }
  ++election.attempts;
  election.term = highest.next();
  election.stage = Stage::storing;
  election.asked.clear();
  election.answers.clear();
  election.majority_at.reset();
  desk_.book.set_leader(id, std::nullopt);
  ShardStatus& edited = desk_.book.edit(id);
  edited.term = election.term;
  edited.state = ShardState::election;
  edited.erased.clear();
  election.stored_by = desk_.book.changed();
  desk_.leaders_changed();
  desk_.look_when_stored(id);
  desk_.inform(fmt::format("{}: electing in term {}: {}", desk_.name_of(id), election.term.value(),
                           election.trouble.empty() ? election.wish.why : election.trouble));
}

void Elections::again(ShardId id, Election& election, std::string trouble) {
  if (election.stage == Stage::telling) --promised_[election.chosen];
  election.trouble = std::move(trouble);
  election.stage = Stage::pausing;
  election.answers.clear();
  const Duration pause = pause_after(election.attempts);
  election.resume_at = desk_.now + pause;
  if (pause == Duration()) return desk_.look_at(id);
  desk_.look_at(id, election.resume_at);
}

void Elections::finish(ShardId id) {
  finished_.push_back(id);
  known_.erase(id);
  give_up(id);
}

void Elections::give_up(ShardId id) {
  const auto found = running_.find(id);
  if (found == running_.end()) return;
  if (found->second.stage == Stage::telling) --promised_[found->second.chosen];
  running_.erase(found);
  desk_.look_at(id);
  begin_waiting();
}

void Elections::forget(ShardId id) {
  waiting_.erase(id);
  barred_.erase(id);
  known_.erase(id);
  give_up(id);
}

void Elections::begin_waiting() {
  while (!waiting_.empty() && running_.size() < limits::elections_at_once_max) {
    auto next = waiting_.extract(waiting_.begin());
    if (desk_.has_responding_majority(desk_.book.find(next.key())->members)) {
      begin(next.key(), std::move(next.mapped()));
    } else {
      desk_.look_at(next.key());
    }
  }
}

void Elections::look(ShardId id) {
  const auto found = running_.find(id);
  if (found == running_.end()) return;
  Election& election = found->second;
  if (election.stage == Stage::pausing) {
    if (desk_.now < election.resume_at) return desk_.look_at(id, election.resume_at);
    if (!may_have_majority(*desk_.book.find(id), election)) return give_up(id);
    start(id, election);
  }
  if (election.stage == Stage::storing && desk_.is_stored(election.stored_by)) announce(id, election);
  if (election.stage == Stage::fencing) return fence(id, election);
  if (election.stage == Stage::telling) return tell(id, election);
}

// --- fencing

void Elections::announce(ShardId id, Election& election) {
  const ShardStatus& shard = *desk_.book.find(id);
  for (const NodeId node : shard.members.members()) election.asked[node];
  // One that led and votes no more is asked too: when it is known to be fenced, no lease need be waited for.
  if (election.former) election.asked[*election.former];
  election.stage = Stage::fencing;
}

void Elections::fence(ShardId id, Election& election) {
  const ShardStatus& shard = *desk_.book.find(id);
  for (auto& [node, asked] : election.asked) {
    if (!election.answers.contains(node) && asked.refusal.empty()) ask(id, election, node, asked);
  }
  if (!has_majority(shard, election)) {
    if (may_have_majority(shard, election)) return;
    const auto refused = std::ranges::find_if(election.asked, [](const auto& each) { return !each.second.refusal.empty(); });
    if (refused == election.asked.end()) return give_up(id);
    return again(id, election, fmt::format("{} refused: {}", desk_.name_of(refused->first), refused->second.refusal));
  }
  if (!election.majority_at) election.majority_at = desk_.now;
  const TimePoint grace_ends = *election.majority_at + limits::election_grace;
  if (!have_all_answered(election) && desk_.now < grace_ends) return desk_.look_at(id, grace_ends);
  choose(id, election);
}

void Elections::ask(ShardId id, Election& election, NodeId node, Asked& asked) {
  if (asked.out || !desk_.detector.responds(node)) return;
  if (desk_.now < asked.again_at) return desk_.look_at(id, asked.again_at);
  const ShardStatus& shard = *desk_.book.find(id);
  const NamespaceStatus& space = *desk_.book.find(shard.name_space);
  asked.out = true;
  desk_.call({.to = node,
              .shard = id,
              .what = FenceReplica{.term = {election.term, shard.members.version},
                                   .name_space = shard.name_space,
                                   .order = space.order,
                                   .notifications = space.notifications},
              .patience = limits::node_call_patience});
}

bool Elections::has_majority(const ShardStatus& shard, const Election& election) const {
  return shard.members.has_majority([&](NodeId node) { return election.answers.contains(node); });
}

bool Elections::may_have_majority(const ShardStatus& shard, const Election& election) const {
  return shard.members.has_majority([&](NodeId node) {
    if (election.answers.contains(node)) return true;
    const auto asked = election.asked.find(node);
    const bool refused = election.stage == Stage::fencing && asked != election.asked.end() && !asked->second.refusal.empty();
    return !refused && desk_.detector.responds(node);
  });
}

bool Elections::have_all_answered(const Election& election) const {
  return std::ranges::all_of(election.asked, [&](const auto& each) {
    return election.answers.contains(each.first) || !each.second.refusal.empty() || !desk_.detector.responds(each.first);
  });
}

// --- choosing

void Elections::choose(ShardId id, Election& election) {
  const ShardStatus& shard = *desk_.book.find(id);
  // Any majority knows all that is committed. What only the shunned one has is not.
  Answers counted = election.answers;
  if (election.wish.shunned) {
    Answers others = counted;
    others.erase(*election.wish.shunned);
    if (shard.members.has_majority([&](NodeId node) { return others.contains(node); })) counted = std::move(others);
  }
  election.chosen = best_of(shard, election, counted);
  election.telling = {
      .term = election.term, .membership = shard.members, .heads = {}, .lease_wait = lease_wait(election.answers)};
  if (const auto barred = barred_.find(id); barred != barred_.end()) {
    const auto [wait, until] = barred->second;
    if (desk_.now < until) election.telling.lease_wait = std::max(election.telling.lease_wait, wait);
  }
  for (const auto& [node, answer] : counted) election.telling.heads.push_back({node, answer.head});
  election.stage = Stage::telling;
  election.told = {};
  election.telling_until = desk_.now + telling_patience;
  ++promised_[election.chosen];
  tell(id, election);
}

NodeId Elections::best_of(const ShardStatus& shard, const Election& election, const Answers& counted) const {
  const auto merit = [&](NodeId node, const replica::NewTermAnswer& answer) {
    const NodeStatus* status = desk_.book.find(node);
    const auto promised = promised_.find(node);
    const int leads = desk_.book.leaders_on(node) + (promised == promised_.end() ? 0 : promised->second);
    return std::tuple(answer.head, election.wish.preferred == node, election.wish.shunned != node,
                      holds(shard.members.voters, node), status != nullptr && !status->draining && !status->removed,
                      desk_.detector.is_trusted(node, desk_.now), -leads, -static_cast<std::int64_t>(node.value()));
  };
  std::optional<NodeId> best;
  for (const auto& [node, answer] : counted) {
    if (!shard.members.votes(node)) continue;
    if (!best || merit(node, answer) > merit(*best, counted.at(*best))) best = node;
  }
  SKERRY_ASSERT(best);
  return *best;
}

void Elections::tell(ShardId id, Election& election) {
  if (desk_.now >= election.telling_until || desk_.detector.condition(election.chosen) == NodeCondition::failed) {
    return again(id, election, fmt::format("{} did not take the lead", desk_.name_of(election.chosen)));
  }
  desk_.look_at(id, election.telling_until);
  if (election.told.out) return;
  if (desk_.now < election.told.again_at) return desk_.look_at(id, election.told.again_at);
  election.told.out = true;
  desk_.call({.to = election.chosen, .shard = id, .what = election.telling, .patience = limits::node_call_patience});
}

// --- answers

void Elections::replied(const NodeCall& call, const NodeReply& reply) {
  const auto* refused = std::get_if<Refused>(&reply);
  if (refused != nullptr && refused->known && *refused->known > call.term()) {
    Term& known = known_.try_emplace(call.shard, no_term).first->second;
    known = std::max(known, *refused->known);
  }
  const auto found = running_.find(call.shard);
  if (found != running_.end() && call.term() == found->second.term) take(call.shard, found->second, call, reply);
}

void Elections::take(ShardId id, Election& election, const NodeCall& call, const NodeReply& reply) {
  desk_.look_at(id);
  if (election.stage == Stage::fencing && std::holds_alternative<FenceReplica>(call.what)) {
    take_fence(id, election, call.to, reply);
  } else if (election.stage == Stage::telling && std::holds_alternative<replica::BecomeLeader>(call.what)) {
    take_telling(id, election, reply);
  }
}

void Elections::take_fence(ShardId id, Election& election, NodeId from, const NodeReply& reply) {
  const auto found = election.asked.find(from);
  if (found == election.asked.end()) return;
  Asked& asked = found->second;
  asked.out = false;
  if (const auto* answer = std::get_if<replica::NewTermAnswer>(&reply)) {
    if (answer->term == election.term) election.answers[from] = *answer;
  } else if (const auto* refused = std::get_if<Refused>(&reply)) {
    asked.refusal = refused->why;
    if (refused->known && *refused->known > election.term) {
      again(id, election, fmt::format("{} knows term {}", desk_.name_of(from), refused->known->value()));
    }
  } else {
    asked.again_at = desk_.now + ask_again_after;
  }
}

void Elections::take_telling(ShardId id, Election& election, const NodeReply& reply) {
  election.told.out = false;
  if (std::holds_alternative<LeadershipTaken>(reply)) {
    desk_.book.set_leader(id, election.chosen);
    desk_.book.edit(id).state = ShardState::steady;
    desk_.inform(fmt::format("{}: {} leads term {}", desk_.name_of(id), desk_.name_of(election.chosen), election.term.value()));
    finish(id);
  } else if (const auto* refused = std::get_if<Refused>(&reply)) {
    again(id, election, fmt::format("{} refused to lead: {}", desk_.name_of(election.chosen), refused->why));
  } else {
    election.told.again_at = desk_.now + ask_again_after;
  }
}

void Elections::reported(ShardId id, NodeId node, const ReplicaReport& report) {
  const auto found = running_.find(id);
  if (found == running_.end()) return;
  Election& election = found->second;
  const bool leads = report.role == ReplicaReport::Role::leader && report.term == election.term;
  if (election.stage == Stage::telling && node == election.chosen && leads) take_telling(id, election, LeadershipTaken{});
}

// --- words

std::string Elections::why_not_yet(ShardId id) const {
  if (waiting_.contains(id))
    return fmt::format("waits until fewer than {} elections are under way", limits::elections_at_once_max);
  const auto found = running_.find(id);
  if (found == running_.end()) return {};
  const Election& election = found->second;
  const std::string term = fmt::format("election in term {}: ", election.term.value());
  switch (election.stage) {
    case Stage::pausing: return term + "to be tried again: " + election.trouble;
    case Stage::storing: return term + "waits until the term is stored";
    case Stage::telling: return term + fmt::format("waits for {} to take the lead", desk_.name_of(election.chosen));
    case Stage::fencing: break;
  }
  std::vector<std::string> missing;
  for (const auto& [node, asked] : election.asked) {
    if (!election.answers.contains(node)) {
      missing.push_back(asked.refusal.empty() ? desk_.name_of(node) : fmt::format("{} ({})", desk_.name_of(node), asked.refusal));
    }
  }
  return term + fmt::format("no answer yet from {}", fmt::join(missing, ", "));
}

}  // namespace skerry::control
