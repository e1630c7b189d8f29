// SPDX-License-Identifier: Apache-2.0
#include "sim/replicas/real_coordinator.hpp"

#include <algorithm>

namespace skerry::sim {

using namespace control;

namespace {

constexpr Duration poll_interval = 50ms, report_delay = 3ms;

std::string name_of(NodeId node) { return fmt::format("n{}", node.value()); }

}  // namespace

// --- the status

SimMetadata::SimMetadata(StatusStore& statuses, const Plan& plan) : statuses_(statuses) {
  status_.instance = "reef";
  status_.next_node = NodeId(static_cast<std::uint32_t>(plan.nodes));
  for (int at = 0; at < plan.nodes; ++at) {
    const NodeId id(static_cast<std::uint32_t>(at));
    NodeStatus& node = status_.nodes[id];
    node.name = node.pool = name_of(id);
    node.public_address = node.name + ":1";
    node.internal_address = node.name + ":2";
    node.bound = true;
  }
  status_.namespaces["default"].replicas = static_cast<std::uint32_t>(plan.voters);
  for (int at = 0; at < plan.shards; ++at) {
    control::ShardStatus& shard = status_.shards[status_.next_shard];
    shard.name_space = "default";
    shard.members = statuses.read(status_.next_shard).members;
    status_.next_shard = status_.next_shard.next();
  }
  items_ = status_.to_items();
}

Metadata::Office SimMetadata::take_office() { return {.epoch = ++epoch_, .items = items_}; }

bool SimMetadata::commit(std::int64_t epoch, const std::vector<MetadataChange>& changes) {
  if (epoch != epoch_) return false;
  for (const MetadataChange& change : changes) {
    if (change.value) items_[change.key] = *change.value;
    else items_.erase(change.key);
  }
  status_ = *ClusterStatus::from_items(items_);
  for (const auto& [id, shard] : status_.shards) {
    ShardStatus status = statuses_.read(id);
    status.term = shard.term;
    status.leader = shard.leader;
    status.members = shard.members;
    statuses_.write(id, status);
  }
  return true;
}

std::string SimMetadata::why_not(std::int64_t epoch, const NodeCall& call) {
  const control::ShardStatus& durable = status_.shards.at(call.shard);
  if (const auto* lead = std::get_if<replica::BecomeLeader>(&call.what)) {
    const auto [known, fresh] = told_to_lead_.try_emplace({call.shard, lead->term}, call.to);
    if (!fresh && known->second != call.to) return "two are told to lead one term";
    if (lead->membership.version > durable.members.version) return "leads with members that are not stored";
  }
  if (const auto* fence = std::get_if<FenceReplica>(&call.what);
      fence != nullptr && fence->term.version > durable.members.version) {
    return "a membership is announced that is not stored";
  }
  const auto* change = std::get_if<replica::ChangeMembers>(&call.what);
  if (change != nullptr && change->membership.version > durable.members.version) return "members change that are not stored";
  if (call.term() > durable.term) return "a term is used that is not stored";
  const bool erases = std::holds_alternative<DeleteReplica>(call.what);
  if (erases && epoch == epoch_ && durable.members.has(call.to)) return "a member's replica is deleted";
  return {};
}

// --- office

RealCoordinator::RealCoordinator(Surroundings& around, SimMetadata& metadata, std::vector<std::unique_ptr<SimNode>>& nodes,
                                 NodeId address)
    : around_(around), metadata_(metadata), nodes_(nodes), address_(address),
      replicas_(static_cast<std::uint32_t>(around.plan.voters)) {}

void RealCoordinator::take_office() {
  leave_office();
  const Metadata::Office office = metadata_.take_office();
  epoch_ = office.epoch;
  auto core = CoordinatorCore::take_office(office, {.fresh_instance = "reef"}, now());
  if (!core) return around_.oracle.fail(core.error().text);
  core_ = *std::move(core);
  act();
  poll();
  later(Duration(around_.random.below(200'000'000)), [this] { configure(); });
}

void RealCoordinator::leave_office() {
  ++offices_;
  core_.reset();
  calls_.clear();
  standing_.clear();
  configured_ = false;
}

void RealCoordinator::configure() {
  ClusterConfig config;
  for (const auto& node : nodes_) {
    const std::string name = name_of(node->id());
    config.servers.push_back({.name = name, .public_address = name + ":1", .internal_address = name + ":2"});
  }
  config.namespaces.push_back(
      {.name = "default", .shards = static_cast<std::uint32_t>(around_.plan.shards), .replicas = replicas_});
  config.balancer.interval = 1s;
  if (const auto done = core_->configured(config, now()); !done) return around_.oracle.fail(done.error().text);
  configured_ = true;
  act();
}

void RealCoordinator::later(Duration length, std::function<void()> what) {
  around_.schedule.after(length, [this, office = offices_, happens = std::move(what)] {
    if (office == offices_) happens();
  });
}

// --- the standing calls

void RealCoordinator::poll() {
  if (!metadata_.is_in_office(epoch_) && around_.random.chance(0.1)) return leave_office();
  for (const auto& node : nodes_) attend(*node);
  core_->tick(now());
  act();
  later(poll_interval, [this] { poll(); });
}

void RealCoordinator::attend(SimNode& node) {
  const NodeId id = node.id();
  const std::string name = name_of(id);
  const bool reachable = !around_.network.is_cut(id, address_) && !around_.network.is_cut(address_, id);
  const auto stands = standing_.find(id);
  const bool ended = stands != standing_.end() && stands->second != node.life();
  if (ended || (stands != standing_.end() && !node.up() && around_.random.chance(0.5))) {
    standing_.erase(stands);
    core_->broke(name, "it ended", now());
  }
  if (!standing_.contains(id) && (!node.up() || (!reachable && around_.random.chance(0.5))))
    return core_->connect_failed(name, "refused", now());
  if (!node.responds() || !reachable) return;
  std::optional<Greeting> greeting;
  if (!standing_.contains(id)) {
    greeting = Greeting{.incarnation = replica::Incarnation(node.life()), .pool = name, .version = {}, .bound = id};
    standing_[id] = node.life();
  }
  later(report_delay, [this, name, greeting, report = node.report()] {
    if (greeting) core_->greeted(name, *greeting, now());
    core_->reported(name, report, now());
    act();
  });
}

// --- effects

void RealCoordinator::act() {
  for (control::Effects effects = core_->take_effects(); !effects.empty(); effects = core_->take_effects()) {
    if (effects.commit) store(*std::move(effects.commit));
    for (const NodeCall& call : effects.calls) ask(call);
  }
}

void RealCoordinator::store(StatusCommit commit) {
  const bool slow = !behaves_ && around_.random.chance(0.05);
  const Duration length = Duration(around_.random.below(slow ? 300'000'000 : 3'000'000));
  later(length / 2, [this, length, stored = std::move(commit)] {
    if (!metadata_.commit(epoch_, stored.changes)) return leave_office();
    later(length / 2, [this, number = stored.number] {
      core_->stored(number, now());
      act();
    });
  });
}

void RealCoordinator::ask(const NodeCall& call) {
  if (const std::string why = metadata_.why_not(epoch_, call); !why.empty()) {
    return around_.oracle.fail(fmt::format("shard {}, node {}: {}", call.shard.value(), call.to.value(), why));
  }
  const std::uint64_t number = ++calls_made_;
  calls_.push_back({number, call});
  const auto send = [&](auto content) { around_.network.send({call.shard, address_, call.to, std::move(content)}); };
  if (const auto* fence = std::get_if<FenceReplica>(&call.what)) send(fence->term);
  if (const auto* lead = std::get_if<replica::BecomeLeader>(&call.what)) send(*lead);
  if (const auto* change = std::get_if<replica::ChangeMembers>(&call.what)) send(*change);
  if (std::holds_alternative<DeleteReplica>(call.what)) ask_to_erase(number, call);
  later(call.patience, [this, number] { reply(number, Unanswered{"no answer in time"}); });
}

// A call with a deadline, which the node keeps: not a message that is doubled, or carried out when nobody thinks of it any more.
void RealCoordinator::ask_to_erase(std::uint64_t number, const NodeCall& call) {
  if (!behaves_ && around_.random.chance(around_.plan.lost)) return;
  const Duration there = Duration(around_.random.below(20'000'000));
  later(there, [this, number, call] {
    const NodeId to = call.to;
    SimNode& node = *nodes_[to.value()];
    if (!node.responds() || around_.network.is_cut(address_, to)) return;
    const bool erased = node.erase(call.shard, call.term());
    around_.trace.note(now(), call.to.value(), [&] {
      return fmt::format("shard {}, {} to {}: delete in term {}: {}", call.shard.value(), address_.value(), to.value(),
                         call.term().value(), erased ? "done" : "not now");
    });
    if (around_.network.is_cut(to, address_) || (!behaves_ && around_.random.chance(around_.plan.lost))) return;
    reply(number, erased ? NodeReply(ReplicaDeleted{}) : NodeReply(Refused{.known = std::nullopt, .why = "not now"}));
  });
}

// --- answers

template <class Fits>
std::optional<std::uint64_t> RealCoordinator::find_call(const Message& message, Fits fits) const {
  const auto found = std::ranges::find_if(calls_, [&](const Call& each) {
    return each.call.to == message.from && each.call.shard == message.shard && fits(each.call);
  });
  return found == calls_.end() ? std::nullopt : std::optional(found->number);
}

void RealCoordinator::receive(const Message& message) {
  if (!core_) return;
  const auto answer = [&](auto asked, Term term, const NodeReply& with) {
    const auto number = find_call(message, [&](const NodeCall& call) {
      return std::holds_alternative<typename decltype(asked)::type>(call.what) && call.term() == term;
    });
    if (number) reply(*number, with);
  };
  if (const auto* fenced = std::get_if<replica::NewTermAnswer>(&message.content)) {
    answer(std::type_identity<FenceReplica>(), fenced->term, *fenced);
  } else if (const auto* installed = std::get_if<LeaderInstalled>(&message.content)) {
    answer(std::type_identity<replica::BecomeLeader>(), installed->term, LeadershipTaken{});
  } else if (const auto* refused = std::get_if<CallRefused>(&message.content)) {
    const auto number = find_call(
        message, [&](const NodeCall& call) { return call.term() == refused->asked && call.what.index() == refused->kind; });
    if (number) reply(*number, Refused{.known = refused->known, .why = "it knows better"});
  } else if (const auto* confirmed = std::get_if<MembersConfirmed>(&message.content)) {
    const auto number = find_call(message, [&](const NodeCall& call) {
      const auto* change = std::get_if<replica::ChangeMembers>(&call.what);
      return change != nullptr && change->term == confirmed->term && change->membership.version == confirmed->version;
    });
    if (number) reply(*number, MembersTaken{true});
  }
}

void RealCoordinator::reply(std::uint64_t number, const NodeReply& with) {
  const auto found = std::ranges::find(calls_, number, &Call::number);
  if (found == calls_.end()) return;
  const NodeCall call = std::move(found->call);
  calls_.erase(found);
  core_->replied(call, with, now());
  act();
}

// --- wishes

void RealCoordinator::elect(ShardId shard) {
  if (!core_ || (!behaves_ && around_.random.chance(0.1))) return take_office();
  const auto& voters = core_->status().shards.at(shard).members.voters;
  (void)core_->transfer_leader(shard, voters[around_.random.below(voters.size())], now());
  act();
}

void RealCoordinator::change_members(ShardId shard) {
  if (!core_ || !configured_) return;
  const auto& voters = core_->status().shards.at(shard).members.voters;
  switch (around_.random.below(4)) {
    case 0: (void)core_->drain(any_node(), now()); break;
    case 1: (void)core_->undrain(any_node(), now()); break;
    case 2: (void)core_->move_replica({shard, voters[around_.random.below(voters.size())], any_node()}, now()); break;
    default:
      replicas_ = static_cast<std::uint32_t>(1 + around_.random.below(std::min<std::uint64_t>(nodes_.size(), 5)));
      configure();
  }
  act();
}

void RealCoordinator::tend(ShardId, bool, bool) {
  behaves_ = true;
  if (!core_ || !metadata_.is_in_office(epoch_)) take_office();
}

bool RealCoordinator::is_settled(ShardId id) const {
  if (!core_ || !configured_ || core_->durable() == CommitNumber(0)) return core_ != nullptr && configured_;
  const control::ShardStatus& shard = core_->status().shards.at(id);
  return shard.wanted.empty() && shard.removed.empty() && shard.state == ShardState::steady;
}

}  // namespace skerry::sim
