// SPDX-License-Identifier: Apache-2.0
#include "sim/replicas/coordinator.hpp"

#include <algorithm>

namespace skerry::sim {

using namespace replica;

namespace {

constexpr Duration powerless_max = 600ms;   // of a leader that does not serve, before a sane coordinator tries another

}  // namespace

bool StatusStore::write(ShardId shard, ShardStatus status) {
  ShardStatus& current = shards_[static_cast<std::size_t>(shard.value())];
  if (status.revision != current.revision) return false;
  ++status.revision;
  current = std::move(status);
  return true;
}

SimCoordinator::SimCoordinator(Surroundings& around, StatusStore& statuses, NodeId address, Mistake mistake)
    : around_(around), statuses_(statuses), address_(address), mistake_(mistake),
      works_(static_cast<std::size_t>(around.plan.shards)) {}

// --- attempts

bool SimCoordinator::begin(ShardId shard) {
  Work& mine = work(shard);
  const bool patient = around_.schedule.now() - mine.since < (behaves_ ? 400ms : 150ms);
  if (mine.stage != Stage::idle && patient && (behaves_ || around_.random.chance(0.95))) return false;
  ++mine.attempt;
  mine.since = around_.schedule.now();
  mine.stage = Stage::reading;
  mine.fenced.clear();
  mine.confirmed.reset();
  return true;
}

void SimCoordinator::later(ShardId shard, Duration length, std::function<void(Work&)> what) {
  around_.schedule.after(length, [this, shard, attempt = work(shard).attempt, happens = std::move(what)] {
    if (work(shard).attempt == attempt) happens(work(shard));
  });
}

Duration SimCoordinator::some_time() {
  if (behaves_ || !around_.random.chance(0.1)) return Duration(around_.random.below(2'000'000));
  return Duration(around_.random.below(200'000'000));
}

void SimCoordinator::read(ShardId shard, std::function<void(Work&)> then) {
  later(shard, some_time(), [this, shard, then = std::move(then)](Work& mine) {
    mine.status = statuses_.read(shard);
    later(shard, some_time(), then);
  });
}

void SimCoordinator::write(ShardId shard, ShardStatus status, std::function<void(Work&)> then) {
  work(shard).stage = Stage::writing;
  later(shard, some_time(), [this, shard, status = std::move(status), then = std::move(then)](Work& mine) {
    if (!statuses_.write(shard, status)) return give_up(mine);
    mine.status = statuses_.read(shard);
    later(shard, some_time(), then);
  });
}

// --- elections

void SimCoordinator::elect(ShardId shard) {
  if (!begin(shard)) return;
  read(shard, [this, shard](Work& mine) {
    ShardStatus next = mine.status;
    mine.left_out.reset();
    if (!behaves_ && next.leader && around_.random.chance(around_.plan.leader_left_out)) leave_out(mine, *next.leader);
    next.term = next.term.next();
    next.leader.reset();
    write(shard, std::move(next), [this, shard](Work& written) {
      written.stage = Stage::fencing;
      fence(shard, written);
    });
  });
}

// It is not asked; with bad luck it reaches nobody either, and those who promised it something have just restarted.
void SimCoordinator::leave_out(Work& mine, NodeId leader) {
  mine.left_out = leader;
  around_.may_fall_silent(leader);
  for (const NodeId node : mine.status.members.members()) {
    if (node != leader) around_.may_crash(node, 1ms);
  }
}

void SimCoordinator::fence(ShardId shard, Work& mine) {
  if (mine.stage != Stage::fencing) return;
  for (const NodeId node : mine.status.members.members()) {
    if (!mine.fenced.contains(node) && node != mine.left_out)
      send(shard, node, NewTerm{mine.status.term, mine.status.members.version});
  }
  later(shard, 30ms, [this, shard](Work& again) { fence(shard, again); });
}

void SimCoordinator::take(ShardId shard, NodeId from, const NewTermAnswer& answer) {
  Work& mine = work(shard);
  if (mine.stage != Stage::fencing || answer.term != mine.status.term) return;
  mine.fenced[from] = answer;
  if (!fenced_enough(mine)) return;
  if (around_.random.chance(0.7)) return choose(shard, mine);
  later(shard, some_time(), [this, shard](Work& patient) {
    if (patient.stage == Stage::fencing) choose(shard, patient);
  });
}

bool SimCoordinator::fenced_enough(const Work& mine) const {
  Membership members = mine.status.members;
  if (mistake_ == Mistake::one_majority_while_joint) members.old_voters.clear();
  return members.has_majority([&mine](NodeId node) { return mine.fenced.contains(node); });
}

void SimCoordinator::choose(ShardId shard, Work& mine) {
  mine.chosen = best_of(mine);
  mine.telling = {.term = mine.status.term, .membership = mine.status.members, .heads = {}, .lease_wait = lease_wait(mine)};
  for (const auto& [node, answer] : mine.fenced) {
    if (mistake_ == Mistake::none) mine.telling.heads.push_back({node, answer.head});
  }
  mine.stage = Stage::installing;
  install(shard, mine);
}

NodeId SimCoordinator::best_of(const Work& mine) {
  const Membership& members = mine.status.members;
  std::optional<std::tuple<Term, Offset, std::uint64_t, NodeId>> best;
  for (const auto& [node, answer] : mine.fenced) {
    if (!members.votes(node)) continue;
    if (mistake_ == Mistake::heads_of_leaving_ignored && std::ranges::find(members.voters, node) == members.voters.end())
      continue;
    const Term term = mistake_ == Mistake::highest_offset_leads ? Term() : answer.head.term;
    const std::tuple merit(term, answer.head.offset, around_.random.below(100), node);
    if (!best || merit > *best) best = merit;
  }
  return best ? std::get<NodeId>(*best) : members.voters.front();
}

// Who served in the newest term that a majority knows entries of was the last who could; if it is fenced, nobody serves.
Duration SimCoordinator::lease_wait(const Work& mine) const {
  if (mistake_ == Mistake::lease_wait_forgotten) return {};
  Term newest = no_term;
  Duration longest{};
  for (const auto& [node, answer] : mine.fenced) {
    newest = std::max(newest, answer.head.term);
    longest = std::max(longest, answer.promised);
  }
  const auto was_last = [newest](const auto& each) { return each.second.served && each.second.head.term == newest; };
  return std::ranges::any_of(mine.fenced, was_last) ? Duration() : longest;
}

// One leader in a term: whoever was told first is told again, and nobody else.
void SimCoordinator::install(ShardId shard, Work& mine) {
  if (mine.stage != Stage::installing) return;
  send(shard, mine.chosen, mine.telling);
  later(shard, 50ms, [this, shard](Work& again) { install(shard, again); });
}

void SimCoordinator::take(ShardId shard, NodeId from, const LeaderInstalled& answer) {
  Work& mine = work(shard);
  if (mine.stage != Stage::installing || answer.term != mine.status.term || from != mine.chosen) return;
  ShardStatus next = mine.status;
  next.leader = from;
  write(shard, std::move(next), [this](Work& written) { give_up(written); });
}

// --- membership

void SimCoordinator::change_members(ShardId shard) {
  if (!begin(shard)) return;
  work(shard).settle = behaves_;
  read(shard, [this, shard](Work& mine) {
    if (!mine.status.leader) return give_up(mine);
    mine.stage = Stage::confirming;
    confirm(shard, mine);
    if (mistake_ == Mistake::step_without_confirmation) mine.confirmed = mine.status.members.version;
  });
}

// Asks for the step before, which may never have arrived; only its confirmation lets the next one be written.
void SimCoordinator::confirm(ShardId shard, Work& mine) {
  if (mine.stage != Stage::confirming) return;
  send(shard, *mine.status.leader, ChangeMembers{mine.status.term, mine.status.members});
  if (mistake_ == Mistake::step_without_confirmation)
    take(shard, *mine.status.leader, {mine.status.term, mine.status.members.version});
  later(shard, 40ms, [this, shard](Work& again) { confirm(shard, again); });
}

void SimCoordinator::take(ShardId shard, NodeId, const MembersConfirmed& answer) {
  Work& mine = work(shard);
  if (mine.stage != Stage::confirming || answer.term != mine.status.term || answer.version != mine.status.members.version) return;
  if (mine.settle && !mine.status.members.joint()) return give_up(mine);
  ShardStatus next = mine.status;
  next.members = next_members(mine);
  if (!next.members.check() || !is_step(mine.status.members, next.members)) return give_up(mine);
  write(shard, std::move(next), [this, shard](Work& written) {
    send(shard, *written.status.leader, ChangeMembers{written.status.term, written.status.members});
    give_up(written);
    if (!behaves_ && around_.random.chance(around_.plan.bad_moments))
      later(shard, some_time(), [this, shard](Work&) { elect(shard); });
  });
}

Membership SimCoordinator::next_members(const Work& mine) {
  Membership next = mine.status.members;
  next.version = next.version.next();
  if (next.joint()) {
    if (!mine.settle && around_.random.chance(0.5)) next.voters = next.old_voters;   // given up
    next.old_voters.clear();
    return next;
  }
  if (around_.random.chance(0.5)) {
    next.learners = some_nodes();
    std::erase_if(next.learners, [&next](NodeId node) { return next.votes(node); });
    return next;
  }
  next.old_voters = next.voters;
  next.voters = some_nodes();
  std::erase_if(next.learners, [&next](NodeId node) { return next.votes(node); });
  return next;
}

std::vector<NodeId> SimCoordinator::some_nodes() {
  std::vector<NodeId> nodes;
  const std::uint64_t one_in = 1 + around_.random.below(3);
  for (int node = 0; node < around_.plan.nodes; ++node) {
    if (around_.random.below(one_in + 1) != 0) nodes.emplace_back(static_cast<std::uint32_t>(node));
  }
  if (nodes.empty())
    nodes.emplace_back(static_cast<std::uint32_t>(around_.random.below(static_cast<std::uint64_t>(around_.plan.nodes))));
  return nodes;
}

// --- when faults have stopped

void SimCoordinator::tend(ShardId shard, bool is_well, bool is_settled) {
  behaves_ = true;
  Work& mine = work(shard);
  if (is_well) mine.was_well = around_.schedule.now();
  if (!is_well && around_.schedule.now() - mine.was_well > powerless_max) {
    mine.was_well = around_.schedule.now();   // of the next leader, when it has had as long
    return elect(shard);
  }
  if (is_well && !is_settled) change_members(shard);
}

// --- messages

void SimCoordinator::receive(const Message& message) {
  const auto taken = [&](const auto& content) {
    if constexpr (requires { take(message.shard, message.from, content); }) take(message.shard, message.from, content);
  };
  std::visit(taken, message.content);
}

void SimCoordinator::send(ShardId shard, NodeId to, decltype(Message::content) content) {
  around_.network.send({shard, address_, to, std::move(content)});
}

}  // namespace skerry::sim
