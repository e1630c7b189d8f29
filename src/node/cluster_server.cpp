// SPDX-License-Identifier: Apache-2.0
#include "node/cluster_server.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "node/admin_server.hpp"
#include "node/cluster_node.hpp"
#include "node/exposure.hpp"
#include "node/public_server.hpp"
#include "node/server_folder.hpp"
#include "node/start_refusal.hpp"
#include "node/threshold.hpp"
#include "node/tracing.hpp"
#include "runtime/settings.hpp"

namespace skerry::node {
namespace {

// Every port of every node, before anything is made on disk.
Result<> check_ports(Threshold& threshold, const ClusterServerOptions& options, std::size_t nodes) {
  for (std::uint32_t node = 0; node < nodes; ++node) {
    TRYV(threshold.check_free(node_address(options.public_address, CoreId(node))));
    TRYV(threshold.check_free(node_address(options.internal_address, CoreId(node))));
  }
  if (options.admin_address) TRYV(threshold.check_free(*options.admin_address));
  return {};
}

void warn_of_ports(const ClusterServerOptions& options, const Logger& log) {
  if (options.insecure) return;
  const SecurityOptions& security = options.security;
  const bool tokens = security.auth.on();
  warn_of_exposure({options.public_address, "public", security.public_tls, tokens}, log);
  warn_of_exposure({options.internal_address, "internal", security.internal_tls, false}, log);
  if (!options.admin_address) return;
  warn_of_exposure({*options.admin_address, "metrics", security.admin_tls, tokens && security.admin_auth}, log);
}

}  // namespace

int run_cluster_server(ClusterServerOptions options, LogRegistry& log) {
  const SystemClock clock;
  Result<CorePlacement> placement = CorePlacement::parse(options.cores, options.pin);
  if (!placement) return refuse_configuration(placement.error());
  const auto nodes = static_cast<std::uint32_t>(placement->count);
  const auto security = SecurityFiles::open(options.security);
  if (!security) return refuse_configuration(security.error());
  const Result<TracingOptions> tracing = tracing_options(options.tracing, process_environment());
  if (!tracing) return refuse_configuration(tracing.error());
  Threshold threshold(clock);
  if (const auto free = check_ports(threshold, options, nodes); !free) return refuse_start(free.error());
  const auto folder = threshold.run(ServerFolder::open(threshold.disk(), options.data_folder, nodes, threshold.core().random()));
  if (!folder) return refuse_start(folder.error());
  options.storage.engine.database.background_cpus = placement->spare();
  options.app.placement = *std::move(placement);

  App app(options.app, clock, log);
  Sharded<serve::ShardHost> hosts(app.cores());
  const Logger logger = log.logger("server");
  logger.info((*folder)->created() ? "made a new data folder" : "opened the data folder",
              {{"path", options.data_folder}, {"pool", (*folder)->pool()}, {"nodes", nodes}});
  warn_of_ports(options, logger);
  if (options.storage.log.durable == disk::Durable::no) {
    logger.warn("writes are acknowledged before they are on disk: a power failure of a majority may lose the last of them");
  }
  app.add<Security>("security", *security);
  if (tracing->endpoint) app.add<Tracing>("tracing", *tracing);
  if (options.admin_address) {
    app.add<AdminServer>("admin",
                         AdminServerOptions{.address = *options.admin_address,
                                            .json_api = serves_json(options.json_api, *options.admin_address, options.security)});
  }
  app.add<ClusterNode>("node", ClusterNodeOptions{folder->get(), options.internal_address, options.storage}, &hosts, &app);
  app.add<PublicServer>(
      "public",
      PublicServerOptions{options.public_address, nullptr, PublicPort::each_core,
                          options.check_authority ? serve::AuthorityCheck::members : serve::AuthorityCheck::off},
      &hosts);
  if (options.admin_address) app.add<AdminReadiness>("ready");
  return app.run();
}

}  // namespace skerry::node
