// SPDX-License-Identifier: Apache-2.0
#include "sim/cluster/machines.hpp"

#include <algorithm>

#include "base/limits.hpp"
#include "node/assignments.hpp"
#include "node/node_folders.hpp"

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

// --- as node/cluster_node.cpp has it

namespace {

const node::NodeFolders folders{.data = "/node-0", .log = ""};

}  // namespace

Task<Result<>> NodeMachine::open() {
  renewing_ = false;
  CO_TRYV(disk().make_folders("/"));
  public_ = std::make_unique<Public>(cores(), static_cast<serve::ShardHost&>(*this));
  public_->server = rpc::Server::make(core(), network(), public_->methods, {});
  CO_TRY(const bool there, disk().exists(folders.data));
  if (!there) CO_TRYV(co_await folders.put_aside(disk()));
  CO_TRYV(co_await open_node());
  CO_TRYV(public_->server->start(*net::Address::parse(public_address())));
  co_return Result<>{};
}

Task<Result<>> NodeMachine::open_node() {
  methods_ = std::make_unique<rpc::Methods>();
  CO_TRY(const std::string aside, folders.kept_aside(disk()));
  const auto is_damaged = [&](const Error& error) { return error == Errc::corrupt && aside.empty(); };
  auto record = co_await control::NodeRecord::open(core(), disk(), "/node-0/cluster-node", folders.log_path());
  if (!record && is_damaged(record.error())) co_return co_await open_damaged(record.error());
  CO_TRY(record_, std::move(record));
  CO_TRYV(disk().make_folders(folders.log_path()));
  CO_TRYV(co_await disk().sync_folder(folders.data));
  auto engine = co_await store::MemoryEngine::open(core(), disk(), "/node-0/engine");
  if (!engine && is_damaged(engine.error())) co_return co_await open_damaged(engine.error());
  CO_TRY(engine_, std::move(engine));
  auto log = co_await disk::Log::open(core(), disk(), folders.log_path(),
                                      {.segment_bytes = 64 << 10, .spare_segments_max = 2, .durable = durable});
  if (!log && is_damaged(log.error())) co_return co_await open_damaged(log.error());
  CO_TRY(node_log_, std::move(log));
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
                                                                          .kept_aside = aside,
                                                                          .shard_options = {}});
  links_->register_in(*methods_);
  agent_->register_in(*methods_);
  co_await agent_->start();
  group_->start();
  co_return serve();
}

Task<Result<>> NodeMachine::open_damaged(const Error& damage) {
  damaged_ = std::make_unique<control::DamagedNode>(control::DamagedNode::Parts{
      .record = record_.get(), .pool = host(), .version = "simulated", .damage = damage.message(), .on_given_up = [this] {
        on_given_up();
      }});
  damaged_->register_in(*methods_);
  co_return serve();
}

Result<> NodeMachine::serve() {
  server_ = rpc::Server::make(core(), network(), *methods_, {});
  TRYV(server_->start(*net::Address::parse(internal_address())));
  return {};
}

void NodeMachine::on_given_up() {
  if (!std::exchange(renewing_, true)) tasks().spawn(renew());
}

Task<> NodeMachine::renew() {
  on_vacating();
  while (group_ && !co_await group_->retire_all(core().now() + limits::replica_release_patience)) on_vacating();
  co_await close();
  drop_node();
  Result<> done = co_await folders.put_aside(disk());
  if (done) done = co_await open_node();
  renewing_ = false;
  if (!done) give_up(done.error());
}

Task<> NodeMachine::close() {
  if (server_) co_await server_->stop(core().now() + 1s);
  if (agent_) co_await agent_->stop();
  if (links_) co_await links_->stop();
  if (links_) co_await links_->stop();
  if (!group_) co_return;
  static_cast<void>(co_await group_->stop());
  group_.reset();
  static_cast<void>(co_await engine_->stop());
  static_cast<void>(co_await node_log_->stop());
}

bool NodeMachine::keeps_damage() const {
  return std::ranges::any_of(platters.paths(),
                             [](const std::string& path) { return path.starts_with(node::aside_of(folders.data)); });
}

void NodeMachine::forget_damage() { platters.remove_folder(node::aside_of(folders.data)); }

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

bool NodeMachine::serves(const std::vector<ShardId>& just_these) const {
  auto next = just_these.begin();
  if (group_) {
    for (const auto& [id, shard] : group_->shards())
      if (shard->serves() && (next == just_these.end() || *next++ != id)) return false;
  }
  return next == just_these.end();
}

void NodeMachine::drop_node() {
  server_.reset();
  methods_.reset();
  agent_.reset();
  damaged_.reset();
  links_.reset();
  group_.reset();
  leases_.reset();
  engine_.reset();
  node_log_.reset();
  record_.reset();
}

void NodeMachine::drop() {
  public_.reset();
  drop_node();
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
