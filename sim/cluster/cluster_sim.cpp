// SPDX-License-Identifier: Apache-2.0
#include "sim/cluster/cluster_sim.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::sim {
namespace {

// After the last fault. A server that was to delete its replica, and did not answer, takes part again only after half a minute.
constexpr Duration progress_within = 45s;
constexpr std::size_t shards_max = 6;   // none is split beyond that

LogOptions quiet(Trace::Print print) {
  LogOptions options{.background = false};
  if (print == Trace::Print::no) options.levels.others = LogLevel::off;
  return options;
}

LibraryClient::Deaf deafness(ClusterMistake mistake) {
  switch (mistake) {
    case ClusterMistake::untold_changes: return LibraryClient::Deaf::to_some_changes;
    case ClusterMistake::untold_sessions: return LibraryClient::Deaf::to_lost_sessions;
    default: return LibraryClient::Deaf::no;
  }
}

}  // namespace

ClusterSim::ClusterSim(ClusterSimOptions options)
    : options_(options), world_(options.seed), trace_(options.print), log_(world_.clock, quiet(options.print)),
      direct_(
          world_, nodes_, history_,
          options.mistake == ClusterMistake::stale_reads ? DirectClients::Reads::of_anybody : DirectClients::Reads::of_leaders),
      replicas_(static_cast<std::uint32_t>(std::min<std::size_t>(3, options.nodes))), splits_itself_(world_.random.chance(0.3)) {
  fabric_.set_delay(200us);
  std::vector<std::string> servers;
  for (std::size_t number = 1; number <= options_.nodes; ++number) {
    const std::string host = fmt::format("node{}", number);
    nodes_.push_back(std::make_unique<NodeMachine>(world_, fabric_, log_, host));
    configured_.insert(host);
    servers.push_back(nodes_.back()->public_address());
    if (options_.mistake == ClusterMistake::unsynced_writes) nodes_.back()->durable = disk::Durable::no;
    nodes_.back()->on_vacating = [this, node = nodes_.back().get()] { direct_.forget(*node); };
  }
  coordinator_ = std::make_unique<CoordinatorMachine>(world_, fabric_, log_, "coordinator");
  program_ = std::make_unique<LibraryClient>(LibraryClient::Parts{.world = world_,
                                                                  .fabric = fabric_,
                                                                  .log = log_,
                                                                  .history = history_,
                                                                  .servers = std::move(servers),
                                                                  .deaf = deafness(options_.mistake),
                                                                  .hashes_of = [this](ShardId shard) { return hashes_[shard]; }});
}

ClusterSim::~ClusterSim() { direct_.rest(); }

ClusterSimReport ClusterSim::run() {
  coordinator_->configure(config());
  coordinator_->boot();
  for (const auto& node : nodes_) node->boot();
  program_->boot();
  const TimePoint ends = world_.clock.now() + options_.faults_for;
  if (!wait(progress_within, [this] { return !served_.empty(); })) fail("nobody led at first");
  while (report_.failure.empty() && world_.clock.now() < ends) {
    pass(20ms + Duration(world_.random.below(1'200'000'000)));
    if (report_.failure.empty()) fault();
  }
  heal_all();
  const std::uint64_t before = puts();
  if (!wait(progress_within, [&] { return puts() > before + 20 && why_not_level().empty(); })) {
    const std::string why = why_not_level();
    fail(fmt::format("no progress within {} s after the last fault: {}", progress_within / 1s, why.empty() ? "no puts" : why));
  }
  clean_up();
  if (report_.failure.empty()) judge();
  fill_report();
  return report_;
}

void ClusterSim::fail(std::string why) {
  if (report_.failure.empty()) report_.failure = std::move(why);
}

// --- the world goes on

void ClusterSim::step() {
  if (!world_.step()) world_.clock.advance(1ms);   // no machine runs
  direct_.work();
  if (world_.ran() == nullptr) return;
  for (const auto& node : nodes_)
    if (node->is(world_.ran())) return check(*node);
  if (const auto& why = coordinator_->failure()) fail(fmt::format("the coordinator gave up: {}", why->message()));
  if (coordinator_->is(world_.ran())) learn_hashes();
}

void ClusterSim::pass(Duration time) {
  const TimePoint until = world_.clock.now() + time;
  while (world_.clock.now() < until && report_.failure.empty()) step();
}

bool ClusterSim::wait(Duration patience, const std::function<bool()>& holds) {
  const TimePoint until = world_.clock.now() + patience;
  while (world_.clock.now() < until && report_.failure.empty()) {
    if (holds()) return true;
    pass(10ms);
  }
  return holds();
}

// Nobody begins to serve but by running, so it is enough to look at who has.
void ClusterSim::check(NodeMachine& node) {
  if (const auto& why = node.failure()) return fail(fmt::format("{} could not start: {}", node.host(), why->message()));
  std::vector<ShardId>& before = serving_[&node];
  if (node.serves(before)) return;
  std::vector<ShardId> now = node.serving();
  for (const ShardId shard : now)
    if (!std::ranges::binary_search(before, shard)) check_apart(node, shard);
  before = std::move(now);
}

void ClusterSim::check_apart(NodeMachine& node, ShardId shard) {
  served_.insert(shard);
  report_.terms = std::max(report_.terms, static_cast<std::uint64_t>(node.shard(shard)->term().value()));
  const control::HashRange hashes = hashes_[shard];
  for (const auto& other : nodes_) {
    for (const ShardId its : other->serving()) {
      if (other.get() == &node && its == shard) continue;
      const control::HashRange theirs = hashes_[its];
      if (hashes.max < theirs.min || theirs.max < hashes.min) continue;
      fail(fmt::format("{} serves shard {} and {} shard {} at once", node.host(), shard.value(), other->host(), its.value()));
    }
  }
}

// A shard that was decided on and never stored leaves its number to another one.
void ClusterSim::learn_hashes() {
  const auto* core = office();
  if (core == nullptr) return;
  const std::pair known{coordinator_->coordinator()->epoch(), core->status().next_shard};
  if (known == hashes_known_) return;
  hashes_known_ = known;
  for (const auto& [id, shard] : core->status().shards) hashes_[id] = shard.hashes;
}

// --- faults

control::ClusterConfig ClusterSim::config() const {
  control::ClusterConfig config;
  config.namespaces.push_back({.name = "default", .shards = 1, .replicas = replicas_});
  for (const auto& node : nodes_) {
    if (configured_.contains(node->host())) {
      config.servers.push_back({node->host(), node->public_address(), node->internal_address()});
    }
  }
  config.auto_split = {.enabled = splits_itself_,
                       .shard_mebibytes_max = 1024,
                       .shard_operations_max = 50,
                       .stable = 1s,
                       .cooldown = 2s,
                       .shards_max = 4,
                       .interval = 1s};
  return config;
}

void ClusterSim::boot(Machine& machine) {
  note(fmt::format("{} starts", machine.host()));
  machine.boot();
}

void ClusterSim::lose(Machine& machine, bool power) {
  note(fmt::format("{} {}", machine.host(), power ? "loses its power" : "is killed"));
  direct_.forget(machine);
  power ? machine.crash() : machine.kill();
  for (const auto& node : nodes_)
    if (node.get() == &machine) serving_.erase(node.get());
}

void ClusterSim::cut_some() {
  std::vector<std::string> hosts{coordinator_->host(), program_->host()};
  for (const auto& node : nodes_) hosts.push_back(node->host());
  const std::string& a = hosts[world_.random.below(hosts.size())];
  for (const std::string& b : hosts) {
    if (a == b || !world_.random.chance(0.6)) continue;
    note(fmt::format("nothing passes between {} and {}", a, b));
    fabric_.cut(a, b);
    cuts_.insert(std::minmax(a, b));
  }
}

void ClusterSim::heal() {
  for (const auto& [a, b] : cuts_) fabric_.heal(a, b);
  cuts_.clear();
  note("all links are whole");
}

void ClusterSim::change_config() {
  const auto kind = world_.random.below(10);
  if (kind < 1) {
    splits_itself_ = !splits_itself_;
  } else if (nodes_.size() > 3 && kind < 7) {
    const std::string& host = some_node().host();
    const bool leaves = configured_.contains(host) && configured_.size() > 3;
    if (leaves) configured_.erase(host);
    if (!leaves) configured_.insert(host);
  } else {
    replicas_ = replicas_ == 3 ? 1 + static_cast<std::uint32_t>(world_.random.below(2)) : 3;
  }
  note(fmt::format("the configuration has {} servers and {} replicas{}", configured_.size(), replicas_,
                   splits_itself_ ? ", and splits by itself" : ""));
  coordinator_->configure(config());
}

void ClusterSim::fault() {
  ++report_.faults;
  clean_up();
  if (options_.mistake == ClusterMistake::forgotten_damage && world_.random.chance(0.4)) return forget_all(some_node());
  const auto kind = world_.random.below(112);
  if (kind < 64) return strike(some_node(), kind);
  if (kind < 71) return heal();
  if (kind < 78 && damaged_ == nullptr) return change_config();
  if (kind < 100) return wish();
  damage(some_node());
}

void ClusterSim::strike(NodeMachine& node, std::uint64_t kind) {
  const TimePoint later = world_.clock.now() + 50ms + Duration(world_.random.below(2'000'000'000));
  if (kind < 26) {
    node.running() ? lose(node, kind < 16) : boot(node);
  } else if (kind < 34) {
    coordinator_->running() ? lose(*coordinator_, kind < 30) : boot(*coordinator_);
  } else if (kind < 45) {
    if (!node.running()) return boot(node);
    note(fmt::format("{} hangs", node.host()));
    node.pause(later);
  } else if (kind < 47) {
    note("the program hangs");
    program_->pause(later);
  } else if (kind < 58) {
    cut_some();
  } else {
    node.platters.faults.sync_takes = world_.random.chance(0.5) ? Duration(world_.random.below(1'500'000'000)) : Duration();
    note(fmt::format("{} takes {} ms for a sync", node.host(), node.platters.faults.sync_takes / 1ms));
  }
}

void ClusterSim::heal_all() {
  note("no more faults");
  heal();
  for (const auto& node : nodes_) {
    node->platters.faults.sync_takes = {};
    if (!node->running()) boot(*node);
  }
  if (!coordinator_->running()) boot(*coordinator_);
  splits_itself_ = false;   // else it might go on and on
  coordinator_->configure(config());
}

// --- wishes

control::CoordinatorCore* ClusterSim::office() const {
  return coordinator_->coordinator() != nullptr ? coordinator_->coordinator()->in_office() : nullptr;
}

ClusterSim::Shards ClusterSim::shards() const {
  Shards shards;
  for (const auto& [id, shard] : office()->status().shards) {
    if (shard.state == control::ShardState::steady || shard.state == control::ShardState::election)
      shards.emplace_back(id, shard.hashes);
  }
  std::ranges::sort(shards, {}, [](const auto& each) { return each.second.min; });
  return shards;
}

void ClusterSim::wish() {
  auto* const core = office();
  if (core == nullptr || shards().empty()) return;
  const auto kind = world_.random.below(10);
  if (kind < 4 && shards().size() < shards_max) {
    split(*core);
  } else if (kind < 8) {
    merge(*core);
  } else {
    move(*core);
  }
  coordinator_->coordinator()->act();
  learn_hashes();
}

void ClusterSim::split(control::CoordinatorCore& office) {
  const Shards known = shards();
  const auto& [shard, hashes] = known[world_.random.below(known.size())];
  std::optional<std::uint32_t> point;
  if (world_.random.chance(0.5) && hashes.min < hashes.max)
    point = hashes.min + 1 + static_cast<std::uint32_t>(world_.random.below(hashes.max - hashes.min));
  const auto begun = office.split_shard(shard, point, world_.clock.now());
  if (begun) ++report_.reshapes;
  note(fmt::format("shard {} is to be split: {}", shard.value(), begun ? "begun" : begun.error().message()));
}

void ClusterSim::merge(control::CoordinatorCore& office) {
  const Shards known = shards();
  if (known.size() < 2) return;
  const std::size_t at = world_.random.below(known.size() - 1);
  const auto begun = office.merge_shards({known[at].first, known[at + 1].first}, world_.clock.now());
  if (begun) ++report_.reshapes;
  note(fmt::format("shards {} and {} are to be merged: {}", known[at].first.value(), known[at + 1].first.value(),
                   begun ? "begun" : begun.error().message()));
}

// A replica goes elsewhere, or another leads.
void ClusterSim::move(control::CoordinatorCore& office) {
  const Shards known = shards();
  const ShardId shard = known[world_.random.below(known.size())].first;
  const auto& voters = office.status().shards.at(shard).members.voters;
  const NodeId from = voters[world_.random.below(voters.size())];
  std::vector<NodeId> all;
  for (const auto& [id, node] : office.status().nodes)
    if (!node.lost) all.push_back(id);
  const NodeId to = all[world_.random.below(all.size())];
  const bool moves = world_.random.chance(0.5);
  const auto wished = moves ? office.move_replica({shard, from, to}, world_.clock.now())
                            : office.transfer_leader(shard, from, world_.clock.now());
  note(fmt::format("shard {} {} node {}: {}", shard.value(),
                   moves ? fmt::format("is to go from node {} to", from.value()) : "is to be led by",
                   moves ? to.value() : from.value(), wished ? "begun" : wished.error().message()));
}

}  // namespace skerry::sim
