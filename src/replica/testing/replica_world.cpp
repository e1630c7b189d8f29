// SPDX-License-Identifier: Apache-2.0
#include "replica/testing/replica_world.hpp"

#include <algorithm>

#include "base/limits.hpp"

namespace skerry::replica {
namespace {

constexpr Duration way = 1ms;

NodeId node_of(std::uint32_t machine) { return NodeId(machine + 1); }
std::uint32_t machine_of(NodeId node) { return node.value() - 1; }

}  // namespace

class ReplicaWorld::Network final : public Peers {
 public:
  Network(ReplicaWorld& world, std::uint32_t self) : world_(world), self_(self) {}
  void send(NodeId to, ShardId, const Append& message, std::span<const BytesView> entries) override {
    std::vector<Bytes> bytes(entries.begin(), entries.end());
    world_.send(self_, machine_of(to), [from = node_of(self_), message, bytes = std::move(bytes)](Machine& machine) {
      deliver_append(machine, from, message, bytes);
    });
  }
  void send(NodeId to, ShardId, const AppendAnswer& message) override {
    world_.send(self_, machine_of(to),
                [from = node_of(self_), message](Machine& machine) { deliver_answer(machine, from, message); });
  }

 private:
  static void deliver_append(Machine& machine, NodeId from, const Append& message, const std::vector<Bytes>& entries);
  static void deliver_answer(Machine& machine, NodeId from, const AppendAnswer& message);

  ReplicaWorld& world_;
  const std::uint32_t self_;
};

struct ReplicaWorld::Machine {
  std::uint32_t number;
  Incarnation incarnation{0};
  disk::SimulatedDiskState platters = {};
  std::unique_ptr<Network> network = nullptr;
  std::unique_ptr<Core> core = nullptr;
  std::unique_ptr<disk::SimulatedDisk> disk = nullptr;
  std::unique_ptr<TaskScope> tasks = nullptr;
  std::unique_ptr<NodeLeases> leases = nullptr;
  std::unique_ptr<disk::Log> log = nullptr;
  std::unique_ptr<store::MemoryEngine> engine = nullptr;
  std::unique_ptr<ShardGroup> group = nullptr;

  Shard* shard() const { return group ? group->find(shard_id) : nullptr; }
};

void ReplicaWorld::Network::deliver_append(Machine& machine, NodeId from, const Append& message,
                                           const std::vector<Bytes>& entries) {
  const std::vector<BytesView> views(entries.begin(), entries.end());
  if (Shard* shard = machine.shard()) static_cast<void>(shard->append(from, message, views));   // what is refused is lost
}

void ReplicaWorld::Network::deliver_answer(Machine& machine, NodeId from, const AppendAnswer& message) {
  if (Shard* shard = machine.shard()) shard->answered(from, message);
}

ReplicaWorld::ReplicaWorld(std::uint32_t machines, std::uint64_t seed) : random_(seed) {
  for (std::uint32_t number = 0; number < machines; ++number) {
    machines_.push_back(std::make_unique<Machine>(Machine{.number = number}));
    SKERRY_ASSERT(start(number).has_value());
  }
}

ReplicaWorld::~ReplicaWorld() {
  for (const auto& machine : machines_) end(*machine);
}

Shard& ReplicaWorld::shard(std::uint32_t machine) { return *machines_[machine]->shard(); }
disk::SimulatedDiskState& ReplicaWorld::disk(std::uint32_t machine) { return machines_[machine]->platters; }
bool ReplicaWorld::up(std::uint32_t machine) const { return machines_[machine]->shard() != nullptr; }
TaskScope& ReplicaWorld::tasks(std::uint32_t machine) { return *machines_[machine]->tasks; }

void ReplicaWorld::end(Machine& machine) {
  if (machine.core) machine.core->drop_frames();
  machine.group.reset();
  machine.engine.reset();
  machine.log.reset();
  machine.tasks.reset();
  machine.disk.reset();
  machine.core.reset();
}

void ReplicaWorld::crash(std::uint32_t number) {
  end(*machines_[number]);
  machines_[number]->platters.crash(random_);
}

Result<> ReplicaWorld::start(std::uint32_t number) {
  Machine& machine = *machines_[number];
  machine.incarnation = machine.incarnation.next();
  machine.network = std::make_unique<Network>(*this, number);
  machine.core = std::make_unique<Core>(CoreId{number}, clock, random_.next());
  machine.disk = std::make_unique<disk::SimulatedDisk>(*machine.core, machine.platters);
  machine.tasks = std::make_unique<TaskScope>(*machine.core);
  machine.leases = std::make_unique<NodeLeases>(machine.incarnation, clock.now());
  auto log = run(number, disk::Log::open(*machine.core, *machine.disk, "/log", {.segment_bytes = 1 << 20}));
  if (!log) return fail(log.error());
  machine.log = *std::move(log);
  auto engine = run(number, store::MemoryEngine::open(*machine.core, *machine.disk, "/engine"));
  if (!engine) return fail(engine.error());
  machine.engine = *std::move(engine);
  machine.group = std::make_unique<ShardGroup>(*machine.core, *machine.log, *machine.engine, ShardGroupOptions{});
  const ShardOptions options{.seat = Seat{node_of(number), machine.leases.get(), machine.network.get()}};
  auto opened = run(number, machine.group->open(shard_id, options));
  if (!opened) return fail(opened.error());
  return {};
}

Result<std::uint32_t> ReplicaWorld::elect(std::vector<std::uint32_t> fenced, std::vector<std::uint32_t> voters,
                                          std::optional<std::uint32_t> named) {
  term = term.next();
  BecomeLeader told{.term = term};
  told.membership.version = version;
  for (const std::uint32_t voter : voters) told.membership.voters.push_back(node_of(voter));
  bool served = false;
  Duration promised{};
  EntryId highest;
  std::uint32_t chosen = fenced.front();
  for (const std::uint32_t number : fenced) {
    TRY(const NewTermAnswer answer, run(number, shard(number).new_term({term, version})));
    told.heads.push_back({node_of(number), answer.head});
    promised = std::max(promised, answer.promised);
    served = served || answer.served;
    if (answer.head <= highest) continue;
    highest = answer.head;
    chosen = number;
  }
  if (!served) told.lease_wait = promised;
  chosen = named.value_or(chosen);
  TRYV(shard(chosen).become_leader(std::move(told)));
  return chosen;
}

void ReplicaWorld::send(std::uint32_t from, std::uint32_t to, std::function<void(Machine&)> arrive) {
  air_.push_back({clock.now() + way, from, to, std::move(arrive)});
}

bool ReplicaWorld::turn() {
  bool any = false;
  for (const auto& machine : machines_) {
    if (machine->core) any = machine->core->run_turn() || any;
  }
  return any;
}

bool ReplicaWorld::deliver() {
  bool any = false;
  while (!air_.empty() && air_.front().at <= clock.now()) {
    const InTheAir message = std::move(air_.front());
    air_.pop_front();
    any = true;
    if (cut_.contains(message.from) || cut_.contains(message.to)) continue;
    if (machines_[message.to]->core) message.arrive(*machines_[message.to]);
  }
  if (clock.now() >= next_heartbeats_) {
    next_heartbeats_ = clock.now() + limits::heartbeat_interval;
    exchange_heartbeats();
  }
  return any;
}

// There and back at once: how long the way takes is the leases' own tests' affair.
void ReplicaWorld::exchange_heartbeats() {
  for (const auto& from : machines_) {
    for (const auto& to : machines_) {
      if (from == to || cut_.contains(from->number) || cut_.contains(to->number) || !from->shard() || !to->shard()) continue;
      const Heartbeat heartbeat = from->leases->heartbeat(node_of(to->number), clock.now());
      const HeartbeatAnswer answer = to->leases->answer(node_of(from->number), heartbeat, clock.now());
      const HeartbeatNews news = from->leases->answered(node_of(to->number), answer);
      for (const FencedNews& each : news.fenced) from->shard()->hear(each.term);
      if (news.restarted) from->shard()->probe(node_of(to->number));
    }
  }
}

bool ReplicaWorld::step() {
  const bool delivered = deliver();
  if (turn() || delivered) return true;
  TimePoint next = std::max(next_heartbeats_, clock.now());
  if (!air_.empty()) next = std::min(next, air_.front().at);
  for (const auto& machine : machines_) {
    if (machine->core) next = std::min(next, machine->core->next_timer().value_or(no_deadline));
  }
  if (next > clock.now()) clock.advance(next - clock.now());
  return true;
}

void ReplicaWorld::pass(Duration time) {
  const TimePoint until = clock.now() + time;
  while (clock.now() < until) step();
}

bool ReplicaWorld::wait(const std::function<bool()>& holds) {
  const TimePoint until = clock.now() + 10s;
  while (!holds() && clock.now() < until) step();
  return holds();
}

}  // namespace skerry::replica
