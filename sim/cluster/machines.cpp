// SPDX-License-Identifier: Apache-2.0
#include "sim/cluster/machines.hpp"

#include "node/assignments.hpp"

namespace skerry::sim {

void Machine::boot() {
  ++life_;
  cores_ = &world_.start_process();
  core_ = cores_->all().front().get();
  disk_ = std::make_unique<disk::SimulatedDisk>(*core_, platters);
  network_ = std::make_unique<net::testing::MemoryNetwork>(*core_, fabric_, host_);
  tasks_ = std::make_unique<TaskScope>(*core_);
  tasks_->spawn(start(*this));
}

Task<> Machine::start(Machine& machine) {
  const auto opened = co_await machine.open();
  if (!opened) machine.failure_ = opened.error();
}

void Machine::crash() {
  end();
  platters.crash(world_.random);
}

void Machine::kill() {
  end();
  platters.kill();
}

void Machine::end() {
  if (core_ == nullptr) return;
  world_.crash_core(*core_);
  drop();
  tasks_.reset();
  network_.reset();
  disk_.reset();
  world_.remove_core(*std::exchange(core_, nullptr));
}

// --- a node

NodeMachine::Public::Public(Cores& cores, serve::ShardHost& host)
    : hosts(cores), directory(*cores.all().front()), oxia(*cores.all().front(), hosts, directory, {}),
      store_v1(*cores.all().front(), hosts, directory, serve::AuthorityCheck::off) {
  hosts.set(CoreId{0}, &host);
  oxia.register_in(methods);
  store_v1.register_in(methods);
}

Task<Result<>> NodeMachine::open() {
  CO_TRYV(disk().make_folders("/node-0/log"));
  CO_TRYV(co_await disk().sync_folder("/"));
  CO_TRYV(co_await disk().sync_folder("/node-0"));
  CO_TRY(record_, co_await control::NodeRecord::open(core(), disk(), "/node-0/cluster-node"));
  CO_TRY(node_log_, co_await disk::Log::open(core(), disk(), "/node-0/log",
                                             {.segment_bytes = 64 << 10, .spare_segments_max = 2, .durable = durable}));
  CO_TRY(engine_, co_await store::MemoryEngine::open(core(), disk(), "/node-0/engine"));
  group_ = std::make_unique<replica::ShardGroup>(
      core(), *node_log_, *engine_,
      replica::ShardGroupOptions{
          .wal_retention_time = 2s, .wal_retention_bytes = 64 << 10, .replay_bytes_max = 32 << 10, .trim_interval = 1s});
  leases_.emplace(replica::Incarnation(record_->value().incarnation()), core().clock().now());
  links_ = std::make_unique<replica::NodeLinks>(core(), network(), *group_, *leases_);
  agent_ = std::make_unique<control::NodeAgent>(control::NodeAgent::Parts{.core = core(),
                                                                          .log = *node_log_,
                                                                          .group = *group_,
                                                                          .leases = *leases_,
                                                                          .links = *links_,
                                                                          .record = *record_,
                                                                          .listener = *this,
                                                                          .logger = logger(),
                                                                          .pool = host(),
                                                                          .version = "simulated",
                                                                          .shard_options = {}});
  methods_ = std::make_unique<rpc::Methods>();
  links_->register_in(*methods_);
  agent_->register_in(*methods_);
  server_ = rpc::Server::make(core(), network(), *methods_, {});
  public_ = std::make_unique<Public>(cores(), static_cast<serve::ShardHost&>(*this));
  public_->server = rpc::Server::make(core(), network(), public_->methods, {});
  co_await agent_->start();
  group_->start();
  CO_TRYV(server_->start(*net::Address::parse(internal_address())));
  CO_TRYV(public_->server->start(*net::Address::parse(public_address())));
  co_return Result<>{};
}

void NodeMachine::on_assignments(const control::v1::Assignments& told) {
  public_->directory.set(node::assignments_of(told, NodeId(record_->value().node()), core().id()));
}

std::vector<ShardId> NodeMachine::shards() const {
  std::vector<ShardId> open;
  if (!group_) return open;
  for (const auto& [id, shard] : group_->shards()) open.push_back(id);
  return open;
}

std::vector<ShardId> NodeMachine::serving() const {
  std::vector<ShardId> ids;
  if (!group_) return ids;
  for (const auto& [id, shard] : group_->shards())
    if (shard->serves()) ids.push_back(id);
  return ids;
}

void NodeMachine::drop() {
  public_.reset();
  server_.reset();
  methods_.reset();
  agent_.reset();
  links_.reset();
  group_.reset();
  leases_.reset();
  engine_.reset();
  node_log_.reset();
  record_.reset();
}

// --- the coordinator

void CoordinatorMachine::configure(control::ClusterConfig config) {
  config_ = std::move(config);
  wish_config();
}

void CoordinatorMachine::wish_config() {
  const auto* core = coordinator_ ? coordinator_->in_office() : nullptr;
  if (core == nullptr || (core->config() != nullptr && *core->config() == *config_)) return;
  if (const auto done = coordinator_->configure(*config_); !done) give_up(done.error());
}

Task<> CoordinatorMachine::keep_wishing() {
  for (;;) {
    wish_config();
    co_await coordinator_->wait_changed();
  }
}

Task<Result<>> CoordinatorMachine::open() {
  CO_TRYV(disk().make_folders("/metadata"));
  CO_TRYV(co_await disk().sync_folder("/"));
  metadata_ = std::make_unique<control::MetadataFile>(core(), disk(), control::MetadataFile::Options{"/metadata", host()});
  coordinator_ = std::make_unique<control::Coordinator>(control::Coordinator::Parts{
      .core = core(), .network = network(), .metadata = *metadata_, .logger = logger(), .give_up = [this](Error why) {
        give_up(std::move(why));
      }});
  coordinator_->start();
  tasks().spawn(keep_wishing());
  co_return Result<>{};
}

void CoordinatorMachine::drop() {
  coordinator_.reset();
  metadata_.reset();
}

}  // namespace skerry::sim
