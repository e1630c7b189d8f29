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

SimMetadata::SimMetadata(StatusStore& statuses, Oracle& oracle, const Plan& plan) : statuses_(statuses), oracle_(oracle) {
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
  const std::vector<HashRange> ranges = split_hashes(static_cast<std::uint32_t>(plan.shards));
  for (int at = 0; at < plan.shards; ++at) {
    control::ShardStatus& shard = status_.shards[status_.next_shard];
    shard.name_space = "default";
    shard.hashes = ranges[static_cast<std::size_t>(at)];
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
  auto decoded = ClusterStatus::from_items(items_);
  if (!decoded) {
    oracle_.fail(decoded.error().text);
    return false;
  }
  status_ = *std::move(decoded);
  for (const auto& [id, shard] : status_.shards) {
    ShardStatus status = statuses_.read(id);
    status.term = shard.term;
    status.leader = shard.leader;
    status.members = shard.members;
    statuses_.write(id, status);
    if (shard.reshape && shard.reshape->phase == ReshapeStatus::Phase::electing) tell(*shard.reshape);
  }
  return true;
}

void SimMetadata::tell(const ReshapeStatus& reshape) {
  std::vector<Offset> heads;
  for (const replica::EntryId& head : reshape.heads) heads.push_back(head.offset);
  oracle_.reshaped(reshape.parents, heads, reshape.children);
}

std::vector<ShardId> SimMetadata::shards() const {
  std::vector<ShardId> all;
  for (const auto& [id, shard] : status_.shards) {
    const auto* first = shard.reshaped_with ? &status_.shards.at(*shard.reshaped_with) : nullptr;
    const bool is_child = first != nullptr && std::ranges::find(first->reshape->children, id) != first->reshape->children.end();
    if (shard.state != ShardState::deleting && !is_child) all.push_back(id);
  }
  return all;
}

std::string SimMetadata::why_not(std::int64_t epoch, const NodeCall& call) {
  const auto found = status_.shards.find(call.shard);
  if (found == status_.shards.end()) return epoch == epoch_ ? "it is not stored" : "";
  const control::ShardStatus& durable = found->second;
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
  const bool copies = std::holds_alternative<Reshape>(call.what) || std::holds_alternative<PrepareReshape>(call.what);
  if (!copies && call.term() > durable.term) return "a term is used that is not stored";
  if (epoch == epoch_) {
    if (std::string why = why_not_reshaped(call); !why.empty()) return why;
  }
  const bool erases = std::holds_alternative<DeleteReplica>(call.what);
  if (erases && epoch == epoch_ && durable.state != ShardState::deleting && durable.members.has(call.to))
    return "a member's replica is deleted";
  return {};
}

// Each phase is stored before anybody hears of it.
std::string SimMetadata::why_not_reshaped(const NodeCall& call) const {
  const auto phase_of = [this](ShardId shard) -> std::optional<ReshapeStatus::Phase> {
    const auto first = status_.shards.at(shard).reshaped_with;
    return first ? std::optional(status_.shards.at(*first).reshape->phase) : std::nullopt;
  };
  if (std::holds_alternative<SealShard>(call.what) && phase_of(call.shard) != ReshapeStatus::Phase::sealing) {
    return "it is sealed for nothing";
  }
  const auto* reshape = std::get_if<Reshape>(&call.what);
  if (reshape == nullptr) return {};
  if (phase_of(call.shard) != ReshapeStatus::Phase::reshaping) return "it is reshaped too early";
  for (const Reshape::Parent& each : reshape->parents) {
    if (each.term > status_.shards.at(each.shard).term) return "it is fenced in a term that is not stored";
  }
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
  const auto send = [&](auto content) { around_.network.send({call.shard, address_, call.to, std::move(content), epoch_}); };
  if (const auto* fence = std::get_if<FenceReplica>(&call.what)) send(fence->term);
  if (const auto* lead = std::get_if<replica::BecomeLeader>(&call.what)) {
    replica::BecomeLeader told = *lead;
    const bool is_made = core_->status().shards.contains(call.shard) && core_->status().shards.at(call.shard).reshaped_with;
    if (is_made && around_.mistake == ReshapeMistake::lease_wait_forgotten) told.lease_wait = {};
    send(told);
  }
  if (const auto* change = std::get_if<replica::ChangeMembers>(&call.what)) send(*change);
  const bool is_message = std::holds_alternative<FenceReplica>(call.what) ||
                          std::holds_alternative<replica::BecomeLeader>(call.what) ||
                          std::holds_alternative<replica::ChangeMembers>(call.what);
  if (!is_message) this->call(number, call);
  later(call.patience, [this, number] { reply(number, Unanswered{"no answer in time"}); });
}

// A call with a deadline. A deletion is one that the node keeps; what concerns reshapes may also be carried out twice, or when
// nobody thinks of it any more.
void RealCoordinator::call(std::uint64_t number, const NodeCall& call) {
  const bool is_kept = std::holds_alternative<DeleteReplica>(call.what);
  if (loses()) return later(100ms, [this, number] { reply(number, Unanswered{"the connection broke"}); });
  const auto there = [this] { return Duration(around_.random.below(20'000'000)); };
  const auto arrive = [this, number, call, epoch = epoch_] {
    if (!nodes_[call.to.value()]->responds() || !nodes_[call.to.value()]->obeys(epoch) ||
        around_.network.is_cut(address_, call.to))
      return;
    wait_for_answer(number, call, now() + call.patience);
  };
  if (is_kept) return later(there(), arrive);
  const bool late = !behaves_ && around_.random.chance(around_.plan.late);
  const auto lateness = static_cast<std::uint64_t>(2 * around_.plan.lateness_max.count());
  around_.schedule.after(late ? Duration(around_.random.below(lateness)) : there(), arrive);
  if (!behaves_ && around_.random.chance(around_.plan.doubled)) {
    around_.schedule.after(Duration(around_.random.below(lateness)), arrive);
  }
}

void RealCoordinator::wait_for_answer(std::uint64_t number, const NodeCall& call, TimePoint until) {
  const std::uint64_t life = nodes_[call.to.value()]->life();
  auto reply_with = answer(call);
  if (!reply_with && now() < until) {
    around_.schedule.after(2ms, [this, number, call, until, life] {
      const SimNode& node = *nodes_[call.to.value()];
      if (node.responds() && node.life() == life) wait_for_answer(number, call, until);
    });
    return;
  }
  if (!reply_with || around_.network.is_cut(call.to, address_)) return;
  around_.trace.note(now(), call.to.value(), [&] {
    return fmt::format("shard {}, {} to {}: call {} of term {}: answer {}", call.shard.value(), address_.value(), call.to.value(),
                       call.what.index(), call.term().value(), reply_with->index());
  });
  reply(number, *reply_with);
}

std::optional<NodeReply> RealCoordinator::answer(const NodeCall& call) {
  SimNode& node = *nodes_[call.to.value()];
  if (const auto* seal = std::get_if<SealShard>(&call.what)) return node.seal(call.shard, seal->term);
  if (const auto* unseal = std::get_if<UnsealShard>(&call.what)) return node.unseal(call.shard, unseal->term);
  if (const auto* reshape = std::get_if<Reshape>(&call.what)) return node.reshape(*reshape);
  const Refused not_now{.known = {}, .why = "not now"};
  if (std::holds_alternative<DeleteReplica>(call.what)) {
    return node.erase(call.shard, call.term()) ? NodeReply(ReplicaDeleted{}) : NodeReply(not_now);
  }
  return !behaves_ && around_.random.chance(0.1) ? NodeReply(not_now) : NodeReply(Reshaped{});
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
  if (!core_->status().shards.contains(shard)) return;
  const std::vector<NodeId> voters = core_->status().shards.at(shard).members.voters;
  (void)core_->transfer_leader(shard, voters[around_.random.below(voters.size())], now());
  act();
}

void RealCoordinator::change_members(ShardId shard) {
  if (!core_ || !configured_ || !core_->status().shards.contains(shard)) return;
  const std::vector<NodeId> voters = core_->status().shards.at(shard).members.voters;
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

void RealCoordinator::reshape(ShardId shard) {
  if (!core_ || !core_->status().shards.contains(shard)) return;
  const ClusterStatus& status = core_->status();
  if (status.next_shard.value() + 2 > around_.plan.shard_ids) return;
  const HashRange hashes = status.shards.at(shard).hashes;
  const auto follows = [&](const auto& each) { return each.second.hashes.min == hashes.max + 1; };
  const auto right = std::ranges::find_if(status.shards, follows);
  if (hashes.max != UINT32_MAX && right != status.shards.end() && around_.random.chance(0.6)) {
    (void)core_->merge_shards({shard, right->first}, now());
  } else {
    (void)core_->split_shard(shard, {}, now());
  }
  act();
}

void RealCoordinator::tend(ShardId, bool, bool) {
  behaves_ = true;
  if (!core_ || !metadata_.is_in_office(epoch_)) take_office();
}

bool RealCoordinator::is_settled(ShardId id) const {
  if (!core_ || !configured_ || core_->durable() == CommitNumber(0)) return core_ != nullptr && configured_;
  const auto found = core_->status().shards.find(id);
  if (found == core_->status().shards.end()) return false;
  const control::ShardStatus& shard = found->second;
  return shard.wanted.empty() && shard.removed.empty() && shard.state == ShardState::steady && !shard.reshaped_with;
}

}   // namespace skerry::sim
