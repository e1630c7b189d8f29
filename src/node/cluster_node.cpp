// SPDX-License-Identifier: Apache-2.0
#include "node/cluster_node.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/limits.hpp"
#include "node/assignments.hpp"
#include "node/public_server.hpp"
#include "rpc/refusal.hpp"
#include "runtime/process_metrics.hpp"

namespace skerry::node {
namespace {

constexpr auto internal_drain_time = 1s;   // for what the coordinator and the others ask when the process stops

// Of a damaged folder: the other replicas have what was in it. A disk that damages more than one is for people to judge.
Error with_remedy(Error error, const std::string& folder, const std::string& aside) {
  if (error != Errc::corrupt) return error;
  error.text +=
      fmt::format("; where the other replicas are whole, replace {} by an empty folder and start again: they fill it", folder);
  if (!aside.empty()) error.text += fmt::format(". {} was damaged before: look at the disk", aside);
  return error;
}

}  // namespace

net::Address node_address(net::Address configured, CoreId core) {
  configured.port = static_cast<std::uint16_t>(configured.port + node_port_step * core.value());
  return configured;
}

ClusterNode::ClusterNode(AppletContext& context, ClusterNodeOptions options, Sharded<serve::ShardHost>* hosts, App* app)
    : context_(context), log_(context.log("node")), options_(std::move(options)), disk_(context.core),
      security_(context.get<Security>()), plain_network_(context.core),
      internal_network_(context.core, plain_network_, {security_.internal_tls(), rpc::refusal_without_tls}),
      peer_network_(context.core, plain_network_, {security_.peer_tls()}), health_(context.core), app_(app),
      tasks_(context.core) {
  options_.storage.engine.cache_bytes /= context.cores().size();
  hosts->set(context_.core.id(), this);
}

ClusterNode::~ClusterNode() = default;

Task<Result<>> ClusterNode::start() {
  // A folder that was being put aside when the process ended.
  CO_TRY(const bool there, disk_.exists(folders().data));
  if (!there) CO_TRYV(co_await folders().put_aside(disk_));
  co_return co_await open();
}

NodeFolders ClusterNode::folders() const {
  return {options_.folder->node_path(number()), NodeStorage::log_folder(options_.storage, number())};
}

Task<Result<>> ClusterNode::open() {
  CO_TRY(const std::string aside, folders().kept_aside(disk_));
  methods_ = std::make_unique<rpc::Methods>();
  auto record =
      co_await control::NodeRecord::open(context_.core, disk_, options_.folder->record_path(number()), folders().log_path());
  if (!record && record.error() == Errc::corrupt && aside.empty()) co_return co_await open_damaged(record.error());
  CO_TRY(record_, std::move(record));
  auto storage = co_await NodeStorage::open(context_, disk_, folders().data, number(), options_.storage);
  if (!storage && storage.error() == Errc::corrupt && record_->bound() && aside.empty()) {
    co_return co_await open_damaged(storage.error());
  }
  if (!storage) co_return fail(with_remedy(storage.error(), folders().data, aside));
  storage_ = *std::move(storage);
  leases_.emplace(replica::Incarnation(record_->value().incarnation()), context_.core.clock().now());
  net::Network& to_peers = security_.options().peer_tls ? static_cast<net::Network&>(peer_network_) : plain_network_;
  links_ = std::make_unique<replica::NodeLinks>(context_.core, to_peers, storage_->group(), *leases_);
  agent_ = std::make_unique<control::NodeAgent>(control::NodeAgent::Parts{.core = context_.core,
                                                                          .log = storage_->log(),
                                                                          .group = storage_->group(),
                                                                          .leases = *leases_,
                                                                          .links = *links_,
                                                                          .record = *record_,
                                                                          .listener = *this,
                                                                          .logger = log_,
                                                                          .pool = options_.folder->pool(),
                                                                          .version = SKERRY_VERSION,
                                                                          .kept_aside = aside,
                                                                          .shard_options = {}});
  links_->register_in(*methods_);
  agent_->register_in(*methods_);
  co_await agent_->start();
  storage_->group().start();
  CO_TRYV(serve());
  log_.info("node is ready for its coordinator",
            {{"internal", node_address(options_.internal_address, context_.core.id()).text()},
             {"cluster", record_->bound() ? record_->value().instance() : "none yet"},
             {"replicas", storage_->group().shards().size()}});
  if (!aside.empty()) log_.warn("a damaged folder is kept until somebody deletes it", {{"path", aside}});
  co_return Result<>{};
}

Task<Result<>> ClusterNode::open_damaged(const Error& damage) {
  log_.error(
      "what this node keeps is damaged: it serves nothing, and waits for its coordinator to say that the others can do without it",
      {{"folder", folders().data}, {"reason", damage}});
  damaged_ = std::make_unique<control::DamagedNode>(control::DamagedNode::Parts{.record = record_.get(),
                                                                                .pool = options_.folder->pool(),
                                                                                .version = SKERRY_VERSION,
                                                                                .damage = damage.message(),
                                                                                .on_given_up = [this] { on_given_up(); }});
  damaged_->register_in(*methods_);
  co_return serve();
}

Result<> ClusterNode::serve() {
  health_.add_to(*methods_);
  health_.set("", storage_ ? rpc::Health::Serving::yes : rpc::Health::Serving::no);
  rpc::ServerOptions options;
  options.on_handshake_failed = [this](const net::Address& peer, const Error& why) {
    security_.note_handshake("internal", peer, why);
  };
  net::Network& inside = security_.options().internal_tls ? static_cast<net::Network&>(internal_network_) : plain_network_;
  server_ = rpc::Server::make(context_.core, inside, *methods_, options);
  TRYV(server_->start(node_address(options_.internal_address, context_.core.id())));
  return {};
}

Task<> ClusterNode::stop() {
  stopping_ = true;
  co_await tasks_.join();
  co_await close();
}

Task<> ClusterNode::close() {
  health_.set("", rpc::Health::Serving::no);
  if (server_) co_await server_->stop(context_.core.now() + internal_drain_time);
  if (agent_) co_await agent_->stop();
  if (links_) co_await links_->stop();
  if (storage_) co_await storage_->close();
}

// --- damage

void ClusterNode::on_given_up() {
  if (std::exchange(renewing_, true) || stopping_) return;
  tasks_.spawn(renew());
}

// Ends whatever comes: what stops the process waits for it.
Task<> ClusterNode::renew() {
  log_.warn("the others have all that this node's shards need: its damaged folder is put aside, and it becomes a new node",
            {{"folder", folders().data}, {"aside", aside_of(folders().data)}});
  while (storage_ && !stopping_) {
    for (const auto& [id, shard] : storage_->group().shards()) on_closing(id);
    const auto vacated = co_await storage_->group().retire_all(context_.core.now() + limits::replica_release_patience);
    if (vacated) break;
    log_.warn("waits to put its folder aside", {{"reason", vacated.error()}});
  }
  if (stopping_) co_return;
  co_await close();
  server_.reset();
  methods_.reset();
  agent_.reset();
  damaged_.reset();
  links_.reset();
  storage_.reset();
  record_.reset();
  Result<> done = co_await folders().put_aside(disk_);
  if (done) done = co_await open();
  renewing_ = false;
  if (!done) app_->fail(fmt::format("{} could not be put aside or begun anew: {}", folders().data, done.error().message()));
}

replica::Shard* ClusterNode::find(ShardId shard) { return storage_ ? storage_->group().find(shard) : nullptr; }

void ClusterNode::on_assignments(const control::v1::Assignments& assignments) {
  context_.get<PublicServer>().set_assignments(assignments_of(assignments, NodeId(record_->value().node()), context_.core.id()));
}

void ClusterNode::on_opened(const std::string& name_space, replica::Shard& shard) {
  storage_->shard_metrics().add(name_space, shard);
  log_.info("replica is open",
            {{"namespace", name_space}, {"shard", shard.id()}, {"term", shard.term()}, {"head", shard.status().head.offset}});
}

void ClusterNode::on_closing(ShardId shard) { storage_->shard_metrics().remove(shard); }

control::v1::Usage ClusterNode::usage() {
  const ProcessUsage process = process_usage();
  Measured measured{.at = context_.core.now(), .processor_seconds = process.processor_seconds};
  for (const auto& [id, shard] : storage_->group().shards()) {
    const replica::ShardFigures figures = shard->figures();
    measured.reads += figures.reads();
    measured.writes += figures.writes();
  }
  control::v1::Usage usage;
  if (measured_ && measured.at > measured_->at) {
    const double passed = std::chrono::duration<double>(measured.at - measured_->at).count();
    // Less than before: a shard was closed meanwhile.
    const auto rate = [passed](std::uint64_t now, std::uint64_t before) {
      return static_cast<double>(now - std::min(now, before)) / passed;
    };
    usage.set_cpu((measured.processor_seconds - measured_->processor_seconds) / passed);
    usage.set_reads_per_second(rate(measured.reads, measured_->reads));
    usage.set_writes_per_second(rate(measured.writes, measured_->writes));
  }
  measured_ = measured;
  usage.set_memory_bytes(process.resident_bytes);
  usage.set_disk_bytes(folder_bytes());
  if (const auto free = disk_.free_bytes(options_.folder->node_path(context_.core.id().value())))
    usage.set_disk_free_bytes(*free);
  return usage;
}

// About: the log, and what the replicas say of themselves.
std::uint64_t ClusterNode::folder_bytes() const {
  std::uint64_t bytes = storage_->log().bytes();
  for (const auto& [id, shard] : storage_->group().shards()) bytes += shard->approximate_bytes();
  return bytes;
}

}  // namespace skerry::node
