// SPDX-License-Identifier: Apache-2.0
#include "node/cluster_node.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "node/assignments.hpp"
#include "node/public_server.hpp"
#include "rpc/refusal.hpp"
#include "runtime/process_metrics.hpp"

namespace skerry::node {
namespace {

constexpr auto internal_drain_time = 1s;   // for what the coordinator and the others ask when the process stops

// Of a damaged folder: the other replicas have what was in it.
Error with_remedy(Error error, const std::string& folder) {
  if (error != Errc::corrupt) return error;
  error.text +=
      fmt::format("; where the other replicas are whole, replace {} by an empty folder and start again: they fill it", folder);
  return error;
}

}  // namespace

net::Address node_address(net::Address configured, CoreId core) {
  configured.port = static_cast<std::uint16_t>(configured.port + node_port_step * core.value());
  return configured;
}

ClusterNode::ClusterNode(AppletContext& context, ClusterNodeOptions options, Sharded<serve::ShardHost>* hosts)
    : context_(context), log_(context.log("node")), options_(std::move(options)), disk_(context.core),
      security_(context.get<Security>()), plain_network_(context.core),
      internal_network_(context.core, plain_network_, {security_.internal_tls(), rpc::refusal_without_tls}),
      peer_network_(context.core, plain_network_, {security_.peer_tls()}), health_(context.core) {
  options_.storage.engine.cache_bytes /= context.cores().size();
  hosts->set(context_.core.id(), this);
}

ClusterNode::~ClusterNode() = default;

Task<Result<>> ClusterNode::start() {
  const std::uint32_t number = context_.core.id().value();
  CO_TRY(record_, co_await control::NodeRecord::open(context_.core, disk_, options_.folder->record_path(number)));
  auto storage = co_await NodeStorage::open(context_, disk_, options_.folder->node_path(number), number, options_.storage);
  if (!storage) co_return fail(with_remedy(storage.error(), options_.folder->node_path(number)));
  storage_ = *std::move(storage);
  leases_.emplace(replica::Incarnation(record_->value().incarnation()), context_.core.clock().now());
  const SecurityOptions& security = security_.options();
  net::Network& to_peers = security.peer_tls ? static_cast<net::Network&>(peer_network_) : plain_network_;
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
                                                                          .shard_options = {}});
  links_->register_in(methods_);
  agent_->register_in(methods_);
  health_.add_to(methods_);
  health_.set("", rpc::Health::Serving::yes);
  rpc::ServerOptions server;
  server.on_handshake_failed = [this](const net::Address& peer, const Error& why) {
    security_.note_handshake("internal", peer, why);
  };
  net::Network& inside = security.internal_tls ? static_cast<net::Network&>(internal_network_) : plain_network_;
  server_ = rpc::Server::make(context_.core, inside, methods_, server);
  co_await agent_->start();
  storage_->group().start();
  CO_TRY(const net::Address address, server_->start(node_address(options_.internal_address, context_.core.id())));
  log_.info("node is ready for its coordinator", {{"internal", address.text()},
                                                  {"cluster", record_->bound() ? record_->value().instance() : "none yet"},
                                                  {"replicas", storage_->group().shards().size()}});
  co_return Result<>{};
}

Task<> ClusterNode::stop() {
  health_.set("", rpc::Health::Serving::no);
  if (server_) co_await server_->stop(context_.core.now() + internal_drain_time);
  if (agent_) co_await agent_->stop();
  if (links_) co_await links_->stop();
  if (storage_) co_await storage_->close();
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
