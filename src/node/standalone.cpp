// SPDX-License-Identifier: Apache-2.0
#include "node/standalone.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include "node/admin_namespaces.hpp"
#include "node/admin_server.hpp"
#include "node/exposure.hpp"
#include "node/public_server.hpp"
#include "node/start_refusal.hpp"
#include "node/threshold.hpp"
#include "node/tracing.hpp"
#include "runtime/settings.hpp"

namespace skerry::node {
namespace {

std::uint32_t processors() { return std::max(1U, std::thread::hardware_concurrency()); }

// Nodes of a new folder: one for each shard, at most one for each core.
std::uint32_t nodes_for(const StandaloneOptions& options, std::size_t cores) {
  std::uint32_t shards = 0;
  for (const NamespaceWish& wish : options.namespaces) shards += wish.shards.value_or(1);
  return std::min(std::max(shards, 1U), static_cast<std::uint32_t>(cores));
}

Result<CorePlacement> place(const StandaloneOptions& options, std::uint32_t nodes) {
  if (!options.cores.empty()) return CorePlacement::parse(options.cores, options.pin);
  return CorePlacement::parse(std::to_string(std::min(nodes, processors())), options.pin);
}

void warn_of_ports(const StandaloneOptions& options, const Logger& log) {
  if (options.insecure) return;
  const SecurityOptions& security = options.security;
  const bool tokens = security.auth.on();
  warn_of_exposure({options.public_address, "public", security.public_tls, tokens}, log);
  if (!options.admin_address) return;
  warn_of_exposure({*options.admin_address, "metrics", security.admin_tls, tokens && security.admin_auth}, log);
}

}  // namespace

int run_standalone(StandaloneOptions options, LogRegistry& log) {
  const SystemClock clock;
  const Result<CorePlacement> wished = place(options, processors());
  if (!wished) return refuse_configuration(wished.error());
  const auto security = SecurityFiles::open(options.security);
  if (!security) return refuse_configuration(security.error());
  const Result<TracingOptions> tracing = tracing_options(options.tracing, process_environment());
  if (!tracing) return refuse_configuration(tracing.error());
  Threshold threshold(clock);
  if (const Result<> free = threshold.check_free(options.public_address); !free) return refuse_start(free.error());
  if (options.admin_address) {
    if (const Result<> free = threshold.check_free(*options.admin_address); !free) return refuse_start(free.error());
  }
  const auto folder = threshold.run(DataFolder::open(
      threshold.disk(), options.data_folder, {nodes_for(options, wished->count), options.namespaces}, threshold.core().random()));
  if (!folder) return refuse_start(folder.error());
  Result<CorePlacement> placement = place(options, (*folder)->status().nodes);
  if (!placement) return refuse_start(placement.error());
  options.storage.node.engine.database.background_cpus = placement->spare();
  options.app.placement = *std::move(placement);

  App app(options.app, clock, log);
  Sharded<serve::ShardHost> hosts(app.cores());
  const std::size_t cores = app.cores().size();
  options.storage.folder = folder->get();
  log.logger("standalone")
      .info((*folder)->created() ? "made a new data folder" : "opened the data folder",
            {{"path", options.data_folder}, {"nodes", (*folder)->status().nodes}, {"cores", cores}});
  warn_of_ports(options, log.logger("standalone"));
  if (options.storage.node.log.durable == disk::Durable::no) {
    log.logger("standalone").warn("writes are acknowledged before they are on disk: a power failure may lose the last of them");
  }
  app.add<Security>("security", *security);
  if (tracing->endpoint) app.add<Tracing>("tracing", *tracing);
  if (options.admin_address) {
    app.add<AdminServer>("admin",
                         AdminServerOptions{.address = *options.admin_address,
                                            .json_api = serves_json(options.json_api, *options.admin_address, options.security)});
  }
  app.add<Storage>("storage", options.storage, &hosts);
  app.add<NamespaceAdmin>("namespaces", folder->get());
  app.add<PublicServer>("public", PublicServerOptions{options.public_address, assignments_of((*folder)->status(), cores)},
                        &hosts);
  if (options.admin_address) app.add<AdminReadiness>("ready");
  return app.run();
}

}  // namespace skerry::node
