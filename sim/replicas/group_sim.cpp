// SPDX-License-Identifier: Apache-2.0
#include "sim/replicas/group_sim.hpp"

#include <algorithm>

#include "sim/replicas/broken.hpp"

namespace skerry::sim {

using namespace replica;

namespace {

constexpr Duration recovery_max = 10s;   // from the end of all faults to equal replicas that serve
constexpr Duration plan_recovery_max =
    90s;   // to members that are all as they were wished, with what a coordinator waits for on the way

std::vector<ShardStatus> first_statuses(const Plan& plan) {
  ShardStatus status;
  for (int node = 0; node < plan.voters; ++node) status.members.voters.emplace_back(static_cast<std::uint32_t>(node));
  return std::vector<ShardStatus>(static_cast<std::size_t>(plan.shard_ids), status);
}

Plan draw_plan(const GroupSimOptions& options, Random& random) {
  Plan plan = Plan::draw(random);
  Random reshapes(options.seed * 0xBF58476D1CE4E5B9ULL + 7);
  if (options.real_coordinator) plan.draw_reshapes(reshapes);
  return plan;
}

}  // namespace

GroupSim::GroupSim(GroupSimOptions options)
    : MessageSim(options.seed, options.print), options_(options), plan_(draw_plan(options_, random_)),
      network_(schedule_, random_, trace_, plan_), oracle_(plan_.shard_ids),
      around_{schedule_, network_, oracle_, random_, trace_, plan_}, statuses_(first_statuses(plan_)),
      metadata_(statuses_, oracle_, plan_) {
  around_.tells_refusals = options_.real_coordinator;
  around_.mistake = options_.reshape_mistake;
  break_rule(options.broken);
  around_.may_crash = [this](NodeId node, Duration within) { may_crash(node, within); };
  around_.may_fall_silent = [this](NodeId node) { may_fall_silent(node); };
}

GroupSim::~GroupSim() { break_rule(std::nullopt); }

GroupSimReport GroupSim::run() {
  try {
    found();
    chaos();
    run_until(oracle_, TimePoint(plan_.chaos));
    heal();
    const TimePoint late = schedule_.now() + (options_.real_coordinator ? plan_recovery_max : recovery_max);
    while (oracle_.failure().empty() && !all_is_well()) {
      if (schedule_.now() >= late) oracle_.fail("faults have stopped, and still not all replicas are equal and served");
      run_until(oracle_, schedule_.now() + 20ms);
    }
  } catch (const BrokenAssertion& broken) {
    oracle_.fail(broken.what);
  }
  report_.failure = oracle_.failure();
  report_.trace_hash = trace_.hash();
  report_.events = events_;
  report_.crashes = crashes_;
  report_.writes = oracle_.writes();
  report_.reads = oracle_.reads();
  for (const ShardId shard : all_shards()) {
    if (!oracle_.parents(shard).empty()) ++report_.reshaped;
    report_.entries += oracle_.last(shard).value() + 1;
    report_.steps += statuses_.read(shard).members.version.value();
    report_.elections += static_cast<std::uint64_t>(statuses_.read(shard).term.value() + 1);
  }
  return report_;
}

// --- the story

void GroupSim::found() {
  for (int node = 0; node < plan_.nodes; ++node) {
    const NodeId id(static_cast<std::uint32_t>(node));
    nodes_.push_back(std::make_unique<SimNode>(around_, id, plan_.nodes, clock_error(plan_, random_)));
    network_.attach(id, [one = nodes_.back().get()](const Message& message) { one->receive(message); });
  }
  for (const auto& node : nodes_) node->boot();
  for (std::uint32_t each = 0; each < 2; ++each) {
    const NodeId address(first_coordinator.value() + each);
    if (options_.real_coordinator) {
      coordinators_.push_back(std::make_unique<RealCoordinator>(around_, metadata_, nodes_, address));
    } else {
      coordinators_.push_back(std::make_unique<SimCoordinator>(around_, statuses_, address, options_.mistake));
    }
    network_.attach(address, [one = coordinators_.back().get()](const Message& message) { one->receive(message); });
  }
  for (const ShardId shard : shards()) coordinators_.front()->elect(shard);
}

void GroupSim::chaos() {
  const auto any_coordinator = [this]() -> GroupCoordinator& {
    return *coordinators_[plan_.two_coordinators ? random_.below(2) : 0];
  };
  every(plan_.election_every, [this, any_coordinator] { any_coordinator().elect(any_shard()); });
  every(plan_.change_every, [this, any_coordinator] { any_coordinator().change_members(any_shard()); });
  every(plan_.reshape_every, [this, any_coordinator] { any_coordinator().reshape(any_shard()); });
  every(plan_.write_every, [this] { write(); });
  every(plan_.read_every, [this] { read(); });
  every(plan_.trim_every, [this] {
    if (SimNode& node = any_node(); node.responds()) node.checkpoint(any_shard());
  });
  every(plan_.crash_every, [this] { crash_one(); });
  every(plan_.partition_every, [this] { cut_some(); });
  every(plan_.pause_every, [this] {
    if (SimNode& node = any_node(); node.responds()) node.pause(schedule_.now() + Duration(random_.below(250'000'000)));
  });
  every(plan_.slow_disk_every,
        [this] { any_node().slow_disk(random_.chance(0.5) ? 500us : Duration(1ms) + Duration(random_.below(150'000'000))); });
}

void GroupSim::crash_one() {
  const bool at_once = random_.chance(plan_.restarts_at_once);
  crash(any_node(), Duration(random_.below(at_once ? 5'000'000 : 600'000'000)));
}

void GroupSim::may_crash(NodeId node, Duration within) {
  if (healed_ || !random_.chance(plan_.bad_moments)) return;
  schedule_.after(Duration(random_.below(static_cast<std::uint64_t>(within.count()))), [this, node] {
    if (!healed_) crash(*nodes_[node.value()], Duration(random_.below(2'000'000)));
  });
}

void GroupSim::may_fall_silent(NodeId node) {
  if (healed_ || !random_.chance(plan_.bad_moments)) return;
  for (const auto& other : nodes_) {
    if (other->id() != node && random_.chance(0.8)) network_.cut(node, other->id());
  }
  schedule_.after(Duration(random_.below(100'000'000)), [this] { network_.heal(); });
}

// A node from most others, or a single link.
void GroupSim::cut_some() {
  network_.heal();
  if (random_.chance(0.3)) return;
  const SimNode& node = any_node();
  if (random_.chance(0.3)) return network_.cut_link(node.id(), any_node().id());
  for (const auto& other : nodes_) {
    if (other->id() != node.id() && random_.chance(0.7)) network_.cut_link(node.id(), other->id());
  }
  for (const auto& coordinator : {first_coordinator, first_coordinator.next()}) {
    if (random_.chance(0.3)) network_.cut_link(node.id(), coordinator);
  }
}

void GroupSim::heal() {
  healed_ = true;
  note("heal", 0);
  network_.heal();
  network_.behave();
  for (const auto& node : nodes_) {
    if (!node->up()) node->boot();
    node->slow_disk(500us);
  }
}

// --- clients

void GroupSim::write() {
  const ShardId shard = any_shard();
  for (const auto& node : nodes_) {
    if (!node->serves(shard) || random_.chance(0.3)) continue;
    node->write(shard, ++values_);
  }
  check_exclusive(shard);
}

void GroupSim::read() {
  for (const ShardId shard : all_shards()) {
    for (const auto& node : nodes_) {
      if (node->responds()) node->read(shard);
    }
    check_exclusive(shard);
  }
}

// Leases promise that two leaders never serve at the same time.
void GroupSim::check_exclusive(ShardId shard) {
  const auto serving = std::ranges::count_if(nodes_, [shard](const auto& node) { return node->serves(shard); });
  if (serving > 1) oracle_.fail(fmt::format("shard {}: two replicas serve at once", shard.value()));
  if (serving == 0) return;
  for (const ShardId parent : oracle_.parents(shard)) {
    if (std::ranges::any_of(nodes_, [parent](const auto& node) { return node->serves(parent); })) {
      oracle_.fail(fmt::format("shards {} and {}, its child, are served at once", parent.value(), shard.value()));
    }
  }
}

// --- afterwards

bool GroupSim::all_is_well() {
  bool well = true;
  for (const ShardId shard : shards()) {
    written_.try_emplace(shard, oracle_.last(shard));
    coordinators_.front()->tend(shard, is_well(shard), is_well(shard) && is_settled(shard));
    well = well && is_well(shard) && is_settled(shard) && is_equal(shard) && oracle_.acknowledged(shard) > written_[shard];
  }
  if (!well) write();
  return well;
}

bool GroupSim::is_well(ShardId shard) {
  const ShardStatus& status = statuses_.read(shard);
  if (!status.leader) return false;
  SimNode& leader = *nodes_[status.leader->value()];
  return leader.serves(shard) && leader.core(shard).term() == status.term;
}

bool GroupSim::is_settled(ShardId shard) {
  const Membership& members = statuses_.read(shard).members;
  if (!coordinators_.front()->is_settled(shard)) return false;
  return !members.joint() && nodes_[statuses_.read(shard).leader->value()]->core(shard).confirmed_version() == members.version;
}

bool GroupSim::is_equal(ShardId shard) {
  const ShardStatus& status = statuses_.read(shard);
  const Offset last = nodes_[status.leader->value()]->applied(shard);
  if (last != oracle_.last(shard)) return false;
  return std::ranges::all_of(status.members.members(), [&](NodeId node) { return nodes_[node.value()]->applied(shard) == last; });
}

std::vector<ShardId> GroupSim::shards() const { return options_.real_coordinator ? metadata_.shards() : all_shards(); }

std::vector<ShardId> GroupSim::all_shards() const {
  std::vector<ShardId> all;
  for (int shard = 0; shard < plan_.shard_ids; ++shard) all.emplace_back(shard);
  return all;
}

}  // namespace skerry::sim
