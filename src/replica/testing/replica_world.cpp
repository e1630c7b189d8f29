// SPDX-License-Identifier: Apache-2.0
#include "replica/testing/replica_world.hpp"

#include <algorithm>
#include <thread>

#include "base/limits.hpp"
#include "runtime/blocking.hpp"
#include "store/table_engine.hpp"
#include "store/testing/forgetful_file_system.hpp"

namespace skerry::replica {
namespace {

constexpr Duration way = 1ms;
constexpr std::uint64_t snapshot_window = 2;   // blocks on their way
constexpr Duration snapshot_silence_max = 200ms;   // of a sender
constexpr Duration snapshot_answer_max = 2s;   // of a receiver, which may have much to sync
constexpr int snapshot_attempts_max = 10;

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

  Task<Result<>> send_snapshot(NodeId to, SnapshotSender sender) override;

 private:
  Task<Result<>> attempt(NodeId to, const SnapshotSender& sender, store::SnapshotSource& source, Bytes head);
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
  std::shared_ptr<store::testing::ForgetfulFileSystem> files = std::make_shared<store::testing::ForgetfulFileSystem>();
  InlineBlocking blocking = {};
  std::unique_ptr<store::Engine> engine = nullptr;
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

// --- snapshots

// One attempt to bring a state over, known to both sides.
struct ReplicaWorld::Transfer {
  std::optional<store::SnapshotPlace> go_on;   // as the sender has heard
  std::uint64_t taken = 0;   // so too
  std::optional<Result<>> ended;   // and this
  std::deque<Bytes> arrived;   // the receiver's
};

class ReplicaWorld::Arriving final : public ArrivingSnapshot {
 public:
  Arriving(ReplicaWorld& world, Machine& machine, std::uint32_t from, std::shared_ptr<Transfer> transfer)
      : world_(world), machine_(machine), from_(from), transfer_(std::move(transfer)) {}
  Task<Result<>> go_on(store::SnapshotPlace place) override {
    tell([place](Transfer& transfer) { transfer.go_on = place; });
    co_return Result<>{};
  }
  Task<Result<Bytes>> next() override {
    const TimePoint until = machine_.core->now() + snapshot_silence_max;
    while (transfer_->arrived.empty()) {
      if (machine_.core->now() >= until) co_return fail(Errc::unavailable, "nothing more arrives");
      co_await machine_.core->sleep_for(way);
    }
    Bytes block = std::move(transfer_->arrived.front());
    transfer_->arrived.pop_front();
    tell([](Transfer& transfer) { ++transfer.taken; });
    co_return block;
  }
  static Task<> receive(ReplicaWorld& world, Machine& machine, std::uint32_t from, SnapshotHeader header, Bytes head,
                        std::shared_ptr<Transfer> transfer) {
    Arriving arriving(world, machine, from, transfer);
    Shard* shard = machine.shard();
    if (shard == nullptr) co_return;
    const Result<> ended = co_await shard->receive_snapshot(node_of(from), header, std::move(head), arriving);
    arriving.tell([ended](Transfer& each) { each.ended = ended; });
  }

 private:
  void tell(std::function<void(Transfer&)> what) {
    world_.send(machine_.number, from_, [transfer = transfer_, what = std::move(what)](Machine&) { what(*transfer); });
  }

  ReplicaWorld& world_;
  Machine& machine_;
  const std::uint32_t from_;
  const std::shared_ptr<Transfer> transfer_;
};

Task<Result<>> ReplicaWorld::Network::send_snapshot(NodeId to, SnapshotSender sender) {
  CO_TRY(const auto source, co_await sender.open());
  CO_TRY(const auto head, co_await source->next());
  for (int attempts = 0; attempts < snapshot_attempts_max; ++attempts) {
    if (co_await attempt(to, sender, *source, *head)) co_return Result<>{};
  }
  co_return fail(Errc::unavailable, "the snapshot does not arrive");
}

Task<Result<>> ReplicaWorld::Network::attempt(NodeId to, const SnapshotSender& sender, store::SnapshotSource& source,
                                              Bytes head) {
  Core& core = *world_.machines_[self_]->core;
  const auto transfer = std::make_shared<Transfer>();
  const SnapshotHeader header{sender.term, sender.version, {source.head().term, source.head().offset}};
  ReplicaWorld& world = world_;
  world_.send(self_, machine_of(to), [&world, from = self_, header, head, transfer](Machine& machine) {
    machine.tasks->spawn(Arriving::receive(world, machine, from, header, head, transfer));
  });
  TimePoint until = core.now() + snapshot_answer_max;
  bool begun = false, done = false;
  for (std::uint64_t sent = 0, heard = 0; core.now() < until; co_await core.sleep_for(way)) {
    if (transfer->ended) co_return *transfer->ended;
    if (transfer->go_on && !std::exchange(begun, true)) source.go_on(*transfer->go_on);
    if (std::exchange(heard, transfer->taken) != transfer->taken) until = core.now() + snapshot_answer_max;
    while (begun && !done && sent < transfer->taken + snapshot_window) {
      CO_TRY(auto block, co_await source.next());
      done = !block;
      if (done) break;
      ++sent;
      ++world_.blocks_sent_[machine_of(to)];
      world_.send(self_, machine_of(to), [block = *std::move(block), transfer](Machine&) { transfer->arrived.push_back(block); });
    }
  }
  co_return fail(Errc::unavailable, "nothing is answered");
}

// --- machines

ReplicaWorld::ReplicaWorld(std::uint32_t machines, Options options) : random_(options.seed), options_(options) {
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
disk::LogShard ReplicaWorld::log(std::uint32_t machine) const { return machines_[machine]->log->shard(shard_id); }
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
  machines_[number]->files = machines_[number]->files->crash(random_);   // first: what is destroyed changes nothing on disk
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
  TRYV(open_engine(machine));
  machine.group = std::make_unique<ShardGroup>(*machine.core, *machine.log, *machine.engine,
                                               options_.housekeeping.value_or(ShardGroupOptions{}));
  const ShardOptions options{.seat = Seat{node_of(number), machine.leases.get(), machine.network.get()}};
  auto opened = run(number, machine.group->open(shard_id, options));
  if (!opened) return fail(opened.error());
  if (options_.housekeeping) machine.group->start();
  return {};
}

Result<> ReplicaWorld::open_engine(Machine& machine) {
  if (options_.engines == Options::Engines::memory) {
    TRY(machine.engine, run(machine.number, store::MemoryEngine::open(*machine.core, *machine.disk, "/engine")));
    return {};
  }
  store::TableEngineOptions options{.cache_bytes = 2 << 20, .writer = &machine.blocking};
  options.database.env = store::testing::environment_of(machine.files);
  TRY(machine.engine, run(machine.number, store::TableEngine::open(machine.blocking, "/engine", std::move(options))));
  return {};
}

std::uint32_t ReplicaWorld::checksum(std::uint32_t number) {
  store::ShardEngine& engine = **machines_[number]->engine->shard(shard_id);
  store::SnapshotSource source(engine, {.shard = shard_id});
  while (*run(number, source.next())) {}
  return source.place().crc ^ static_cast<std::uint32_t>(source.head().offset.value());
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
  if (waits_for_compactions()) std::this_thread::sleep_for(1ms);   // they take their time, and ours must not run away from it
  if (next > clock.now()) clock.advance(next - clock.now());
  return true;
}

// A frozen table is written at once, unless the database has too many files.
bool ReplicaWorld::waits_for_compactions() const {
  return std::ranges::any_of(machines_, [](const auto& machine) {
    const auto* tables = dynamic_cast<const store::TableEngine*>(machine->engine.get());
    return tables != nullptr && tables->figures().frozen_tables > 0;
  });
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
