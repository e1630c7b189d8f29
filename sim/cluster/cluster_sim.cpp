// SPDX-License-Identifier: Apache-2.0
#include "sim/cluster/cluster_sim.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "replica/shard_error.hpp"
#include "store/snapshot_source.hpp"

namespace skerry::sim {
namespace {

constexpr std::size_t client_count = 4;
constexpr std::uint64_t key_count = 8;
// After the last fault. A server that was to delete its replica, and did not answer, takes part again only after half a minute.
constexpr Duration progress_within = 45s;
constexpr Duration patience_of_clients = 1s;

LogOptions quiet(Trace::Print print) {
  LogOptions options{.background = false};
  if (print == Trace::Print::no) options.levels.others = LogLevel::off;
  return options;
}

}  // namespace

// One that asks one thing at a time, and remembers what it was told.
struct ClusterSim::Client {
  explicit Client(std::uint32_t its_number) : number(its_number), at(its_number) {}
  const std::uint32_t number;
  std::uint64_t asked = 0;
  TimePoint next{};
  std::size_t at;   // the node that it believes in
  struct Pending {
    std::unique_ptr<replica::PutRequest> request;
    replica::Ticket ticket;
    const Machine* machine;
    History::Operation operation;
  };
  std::optional<Pending> pending;
};

ClusterSim::ClusterSim(ClusterSimOptions options)
    : options_(options), world_(options.seed), trace_(options.print), log_(world_.clock, quiet(options.print)),
      replicas_(static_cast<std::uint32_t>(std::min<std::size_t>(3, options.nodes))) {
  fabric_.set_delay(200us);
  for (std::size_t number = 1; number <= options_.nodes; ++number) {
    const std::string host = fmt::format("node{}", number);
    nodes_.push_back(std::make_unique<NodeMachine>(world_, fabric_, log_, host));
    configured_.insert(host);
    if (options_.mistake == ClusterMistake::unsynced_writes) nodes_.back()->durable = disk::Durable::no;
  }
  coordinator_ = std::make_unique<CoordinatorMachine>(world_, fabric_, log_, "coordinator");
  for (std::uint32_t number = 0; number < client_count; ++number) {
    clients_.push_back(std::make_unique<Client>(number));
  }
}

ClusterSim::~ClusterSim() {
  for (const auto& client : clients_) client->pending.reset();
}

ClusterSimReport ClusterSim::run() {
  coordinator_->configure(config());
  coordinator_->boot();
  for (const auto& node : nodes_) node->boot();
  const TimePoint ends = world_.clock.now() + options_.faults_for;
  if (!wait(progress_within, [this] { return serving() != nullptr; })) fail("nobody led at first");
  while (report_.failure.empty() && world_.clock.now() < ends) {
    pass(20ms + Duration(world_.random.below(1'200'000'000)));
    if (report_.failure.empty()) fault();
  }
  heal_all();
  const std::uint64_t before = report_.puts;
  const bool goes_on = wait(progress_within, [&] { return serving() != nullptr && report_.puts > before + 20 && is_level(); });
  if (!goes_on) fail(fmt::format("no progress within {} s after the last fault: {}", progress_within / 1s, why_not()));
  if (report_.failure.empty()) check_states();
  if (report_.failure.empty()) read_all();
  for (const auto& client : clients_) {
    if (client->pending) history_.add(std::move(client->pending->operation));
    client->pending.reset();
  }
  if (report_.failure.empty()) fail(history_.violation());
  report_.trace_hash = trace_.hash();
  return report_;
}

void ClusterSim::fail(std::string why) {
  if (report_.failure.empty()) report_.failure = std::move(why);
}

// --- the world goes on

void ClusterSim::step() {
  if (!world_.step()) world_.clock.advance(1ms);   // no machine runs
  for (const auto& client : clients_) work(*client);
  check_servers();
}

void ClusterSim::pass(Duration time) {
  const TimePoint until = world_.clock.now() + time;
  while (world_.clock.now() < until && report_.failure.empty()) step();
}

bool ClusterSim::wait(Duration patience, const std::function<bool()>& holds) {
  const TimePoint until = world_.clock.now() + patience;
  while (world_.clock.now() < until && report_.failure.empty()) {
    if (holds()) return true;
    step();
  }
  return holds();
}

void ClusterSim::check_servers() {
  const NodeMachine* first = nullptr;
  for (const auto& node : nodes_) {
    if (const auto& why = node->failure()) return fail(fmt::format("{} could not start: {}", node->host(), why->message()));
    const replica::Shard* shard = node->shard(shard_id);
    if (shard == nullptr || !shard->serves()) continue;
    if (first != nullptr) return fail(fmt::format("{} and {} serve at once", first->host(), node->host()));
    first = node.get();
    report_.terms = std::max(report_.terms, static_cast<std::uint64_t>(shard->term().value()));
  }
  if (const auto& why = coordinator_->failure()) fail(fmt::format("the coordinator gave up: {}", why->message()));
}

// --- clients

void ClusterSim::work(Client& client) {
  if (client.pending) return hear(client);
  if (world_.clock.now() >= client.next) ask(client);
}

void ClusterSim::ask(Client& client) {
  NodeMachine& node = *nodes_[client.at % nodes_.size()];
  replica::Shard* shard = node.shard(shard_id);
  const bool answers = shard != nullptr && (shard->serves() || options_.mistake == ClusterMistake::stale_reads);
  if (!answers) {
    client.at += 1;
    client.next = world_.clock.now() + 5ms;
    return;
  }
  client.next = world_.clock.now() + 1ms + Duration(world_.random.below(20'000'000));
  if (shard->serves() && world_.random.chance(0.6)) return put(client, *shard);
  get(client, *shard);
}

void ClusterSim::put(Client& client, replica::Shard& shard) {
  const std::string key = fmt::format("key{}", world_.random.below(key_count));
  const std::string value = fmt::format("{}-{}", client.number, ++client.asked);
  auto request = std::make_unique<replica::PutRequest>(key, value + Bytes(world_.random.below(400), '.'));
  History::Operation operation{.kind = History::Operation::Kind::put,
                               .key = key,
                               .value = Bytes(request->put.value),
                               .began = world_.clock.now(),
                               .ended = TimePoint::max(),
                               .version = std::nullopt};
  replica::Ticket ticket = shard.propose(request->request());
  client.pending =
      Client::Pending{std::move(request), std::move(ticket), nodes_[client.at % nodes_.size()].get(), std::move(operation)};
}

void ClusterSim::hear(Client& client) {
  Client::Pending& pending = *client.pending;
  if (!pending.ticket.ready()) {
    if (world_.clock.now() < pending.operation.began + patience_of_clients) return;
    ++report_.unknown;   // it goes away, as clients do
    history_.add(std::move(pending.operation));
    client.pending.reset();
    client.at += 1;
    return;
  }
  const auto outcome = pending.ticket.take();
  if (outcome) {
    pending.operation.version = outcome->puts.front().version.version_id;
    pending.operation.ended = world_.clock.now();
    history_.add(std::move(pending.operation));
    ++report_.puts;
    trace_.note(world_.clock.now(), static_cast<std::uint64_t>(report_.puts), [] { return std::string("put"); });
  } else if (outcome.error() == make_error_code(replica::ShardError::not_leader) ||
             outcome.error() == make_error_code(Errc::resource_exhausted)) {
    ++report_.refused;
    client.at += 1;
  } else {
    ++report_.unknown;
    history_.add(std::move(pending.operation));
    client.at += 1;
  }
  client.pending.reset();
}

void ClusterSim::get(Client& client, replica::Shard& shard) {
  const std::string key = fmt::format("key{}", world_.random.below(key_count));
  static_cast<void>(client);
  const auto found = shard.try_get({.key = key, .index = {}});
  if (!found || !*found) return;
  const store::GetOutcome& outcome = **found;
  const bool there = outcome.status == store::Status::ok;
  history_.add({.kind = History::Operation::Kind::get,
                .key = key,
                .value = there ? outcome.value : Bytes(),
                .began = world_.clock.now(),
                .ended = world_.clock.now(),
                .version = there ? outcome.version.version_id : History::absent});
  ++report_.gets;
}

void ClusterSim::forget(const Machine& machine) {
  for (const auto& client : clients_) {
    if (!client->pending || client->pending->machine != &machine) continue;
    if (client->pending->ticket.ready()) {
      hear(*client);
      continue;
    }
    ++report_.unknown;
    history_.add(std::move(client->pending->operation));
    client->pending.reset();
  }
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
  return config;
}

void ClusterSim::boot(Machine& machine) {
  note(fmt::format("{} starts", machine.host()));
  machine.boot();
}

void ClusterSim::lose(Machine& machine, bool power) {
  note(fmt::format("{} {}", machine.host(), power ? "loses its power" : "is killed"));
  forget(machine);
  power ? machine.crash() : machine.kill();
}

void ClusterSim::cut_some() {
  std::vector<std::string> hosts{coordinator_->host()};
  for (const auto& node : nodes_) hosts.push_back(node->host());
  const std::string& a = hosts[world_.random.below(hosts.size())];
  for (const std::string& b : hosts) {
    if (a == b || !world_.random.chance(0.6)) continue;
    note(fmt::format("nothing passes between {} and {}", a, b));
    fabric_.cut(a, b);
    cuts_.insert(std::minmax(a, b));
  }
}

void ClusterSim::change_config() {
  if (nodes_.size() > 3 && world_.random.chance(0.7)) {
    const std::string& host = some_node().host();
    const bool leaves = configured_.contains(host) && configured_.size() > 3;
    if (leaves) configured_.erase(host);
    if (!leaves) configured_.insert(host);
  } else {
    replicas_ = replicas_ == 3 ? 1 + static_cast<std::uint32_t>(world_.random.below(2)) : 3;
  }
  note(fmt::format("the configuration has {} servers and {} replicas", configured_.size(), replicas_));
  coordinator_->configure(config());
}

void ClusterSim::fault() {
  ++report_.faults;
  const auto kind = world_.random.below(100);
  NodeMachine& node = some_node();
  const TimePoint later = world_.clock.now() + 50ms + Duration(world_.random.below(2'000'000'000));
  if (kind < 35) {
    node.running() ? lose(node, kind < 20) : boot(node);
  } else if (kind < 45) {
    coordinator_->running() ? lose(*coordinator_, kind < 40) : boot(*coordinator_);
  } else if (kind < 60) {
    if (!node.running()) return boot(node);
    note(fmt::format("{} hangs", node.host()));
    node.pause(later);
  } else if (kind < 75) {
    cut_some();
  } else if (kind < 85) {
    for (const auto& [a, b] : cuts_) fabric_.heal(a, b);
    cuts_.clear();
    note("all links are whole");
  } else if (kind < 92) {
    node.platters.faults.sync_takes = world_.random.chance(0.5) ? Duration(world_.random.below(1'500'000'000)) : Duration();
    note(fmt::format("{} takes {} ms for a sync", node.host(), node.platters.faults.sync_takes / 1ms));
  } else {
    change_config();
  }
}

void ClusterSim::heal_all() {
  note("no more faults");
  for (const auto& [a, b] : cuts_) fabric_.heal(a, b);
  cuts_.clear();
  for (const auto& node : nodes_) {
    node->platters.faults.sync_takes = {};
    if (!node->running()) boot(*node);
  }
  if (!coordinator_->running()) boot(*coordinator_);
}

// --- at the end

NodeMachine* ClusterSim::serving() const {
  for (const auto& node : nodes_) {
    const replica::Shard* shard = node->shard(shard_id);
    if (shard != nullptr && shard->serves()) return node.get();
  }
  return nullptr;
}

// Whether all members have what the leader has, and are as many as are wanted.
bool ClusterSim::is_level() const {
  const NodeMachine* leader = serving();
  const auto* office = coordinator_->coordinator() != nullptr ? coordinator_->coordinator()->in_office() : nullptr;
  if (leader == nullptr || office == nullptr) return false;
  const auto found = office->status().shards.find(shard_id);
  if (found == office->status().shards.end()) return false;
  const replica::Membership& members = found->second.members;
  return !members.joint() && members.learners.empty() && members.voters.size() == replicas_ &&
         office->why_not_yet(shard_id).empty();
}

std::string ClusterSim::why_not() const {
  const NodeMachine* leader = serving();
  const auto* office = coordinator_->coordinator() != nullptr ? coordinator_->coordinator()->in_office() : nullptr;
  std::string why = leader == nullptr ? "nobody serves" : fmt::format("{} serves", leader->host());
  if (office == nullptr) return why + ", no coordinator is in office";
  const std::string waits = office->why_not_yet(shard_id);
  return fmt::format("{}, {}", why, waits.empty() ? "the coordinator waits for nothing" : waits);
}

void ClusterSim::check_states() {
  // Nobody asks any more, so that all come to the same entry.
  for (const auto& client : clients_) client->next = TimePoint::max();
  const auto& members = coordinator_->coordinator()->in_office()->status().shards.at(shard_id).members;
  report_.members_version = members.version.value();
  const auto level = [&] {
    const NodeMachine* leader = serving();
    if (leader == nullptr) return false;
    const Offset commit = leader->shard(shard_id)->commit();
    std::size_t equal = 0;
    for (const auto& node : nodes_)
      equal += node->shard(shard_id) != nullptr && node->shard(shard_id)->status().applied == commit;
    return equal >= replicas_;
  };
  if (!wait(progress_within, level)) {
    std::string places;
    for (const auto& node : nodes_) {
      if (node->shard(shard_id) == nullptr) continue;
      const auto status = node->shard(shard_id)->status();
      places += fmt::format("; {}{}: term {} head {} commit {} applied {}", node->host(),
                            node->shard(shard_id)->serves() ? " serves" : "", status.term.value(), status.head.offset.value(),
                            status.commit.value(), status.applied.value());
      for (const auto& each : status.followers)
        places += fmt::format(" [{} mode {} matched {}]", each.node.value(), static_cast<int>(each.mode), each.matched.value());
    }
    return fail("the replicas do not come to the same entry" + places);
  }
  std::optional<std::pair<std::uint32_t, std::string>> first;
  const Offset commit = serving()->shard(shard_id)->commit();
  for (const auto& node : nodes_) {
    if (node->shard(shard_id) == nullptr || node->shard(shard_id)->status().applied != commit) continue;
    store::SnapshotSource source(**node->engine().shard(shard_id), {.shard = shard_id});
    bool done = false;
    const auto drain = [](store::SnapshotSource& from, bool& ended) -> Task<> {
      while (*co_await from.next()) {}
      ended = true;
    };
    node->tasks().spawn(drain(source, done));
    while (!done) world_.step();
    if (!first) first = {source.place().crc, node->host()};
    if (first->first != source.place().crc)
      return fail(fmt::format("{} and {} differ at entry {}", first->second, node->host(), commit.value()));
  }
}

void ClusterSim::read_all() {
  NodeMachine* leader = serving();
  if (leader == nullptr) return fail("nobody serves at the end");
  for (std::uint64_t number = 0; number < key_count; ++number) {
    const std::string key = fmt::format("key{}", number);
    const auto found = leader->shard(shard_id)->try_get({.key = key, .index = {}});
    if (!found || !*found) return fail("the leader can't be read at the end");
    const bool there = (*found)->status == store::Status::ok;
    history_.add({.kind = History::Operation::Kind::get,
                  .key = key,
                  .value = there ? (*found)->value : Bytes(),
                  .began = world_.clock.now(),
                  .ended = world_.clock.now(),
                  .version = there ? (*found)->version.version_id : History::absent});
  }
}

}  // namespace skerry::sim
