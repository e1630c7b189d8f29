// SPDX-License-Identifier: Apache-2.0
#include "node/cluster_settings.hpp"

#include <fmt/format.h>

namespace skerry::node {

ClusterServerSettings::ClusterServerSettings()
    : serving_(
          "./data/db",
          "How many cores (\"2\"), or which processors (\"0,2\", \"0-3\", pinned). Each is a node of its own, on ports 10 higher "
          "than the one before; a folder keeps the number that it was made with.") {
  serving_.declare_ports(settings_);
  settings_
      .add("internal.address", internal_address_,
           "Where the coordinator and the other servers connect, host:port. Loopback unless you say otherwise.")
      .flags("-i,--internal-addr")
      .also("server.internal.bindAddress");
  serving_.declare_internal(settings_, "replication");
  settings_
      .add("authority-validation", check_authority_,
           "Answer clients only at addresses that the cluster's configuration names, allowExtraAuthorities included.")
      .flags("--authority-validation")
      .also("featureFlags.authorityValidation");
  serving_.declare_storage(settings_);
  serving_.declare_process(settings_);
  serving_.declare_insight(settings_);
}

Result<ClusterServerOptions> ClusterServerSettings::options() const {
  ClusterServerOptions options;
  TRY(ServingSettings::Values serving, serving_.values());
  TRY(options.internal_address, address_setting(internal_address_, "internal.address"));
  TRYV(check_distinct({{"--public-addr", serving.public_address},
                       {"--internal-addr", options.internal_address},
                       {"--metrics-addr", serving.admin_address}}));
  options.public_address = std::move(serving.public_address);
  options.admin_address = std::move(serving.admin_address);
  options.json_api = serving.json_api;
  options.insecure = serving.insecure;
  options.check_authority = check_authority_;
  options.security = std::move(serving.security);
  options.tracing = std::move(serving.tracing);
  options.data_folder = std::move(serving.data_folder);
  if (!serving.cores.empty()) options.cores = std::move(serving.cores);
  options.pin = serving.pin;
  options.storage = std::move(serving.storage);
  options.app = std::move(serving.app);
  return options;
}

CoordinatorSettings::CoordinatorSettings() {
  settings_.add("public.address", public_address_, "Where admin tools connect, host:port. Loopback unless you say otherwise.")
      .flags("-p,--public-addr")
      .also("server.public.bindAddress");
  settings_.add("internal.address", internal_address_, "Where other coordinators and health checks connect, host:port.")
      .flags("-i,--internal-addr")
      .also("server.internal.bindAddress");
  settings_
      .add("metrics.address", metrics_address_,
           "Where GET /metrics, /healthz, /readyz and PUT /log-level are answered; \"none\": nowhere.")
      .flags("-m,--metrics-addr")
      .also("observability.metric.bindAddress");
  settings_.add("insecure", insecure_, "Say nothing about an address that other machines can reach without authentication.")
      .flags("--insecure");
  security_.declare(settings_);
  security_.declare_internal(settings_, "controller");
  settings_
      .add(
          "metadata.provider", provider_,
          "Where the cluster's status is kept. memory: nowhere, for trying things out; file: in a folder; raft: in the folders of "
          "several coordinators, which elect the one that acts.")
      .flags("--metadata")
      .choices({"file", "memory", "raft"})
      .also("metadata.providerName");
  settings_.add("metadata.dir", folder_, "The folder of the file and the raft provider; made when it is not there.")
      .flags("--metadata-dir,--raft-data-dir")
      .also("metadata.file.dir")
      .also("metadata.raft.dataDir");
  settings_.add("metadata.config-name", config_name_, "The cluster's configuration in that folder, watched while it runs.")
      .flags("--metadata-config-name")
      .also("metadata.file.configName");
  settings_
      .add(
          "metadata.raft.bootstrap-nodes", raft_nodes_,
          "All coordinators of the raft provider, this one included: 1, 3 or 5 internal addresses, each HOST:PORT or NAME=HOST:PORT.")
      .flags("--raft-bootstrap-nodes")
      .also("metadata.raft.bootstrapNodes");
  settings_.add("metadata.raft.address", raft_address_, "Which of them this one is; empty: the one with its internal address.")
      .flags("--raft-address");
  settings_.add("metadata.raft.cluster-name", raft_cluster_, "Coordinators that are told another name are refused.")
      .flags("--raft-cluster-name");
  settings_.add("cluster-config", config_file_, "The cluster's configuration, where it is another file.")
      .flags("--conf,--cconfig");
  logging_.declare(settings_);
}

Result<CoordinatorOptions> CoordinatorSettings::options() const {
  CoordinatorOptions options;
  TRY(options.public_address, address_setting(public_address_, "public.address"));
  TRY(options.internal_address, address_setting(internal_address_, "internal.address"));
  if (metrics_address_ != "none" && !metrics_address_.empty()) {
    TRY(options.admin_address, address_setting(metrics_address_, "metrics.address"));
  }
  TRYV(check_distinct({{"--public-addr", options.public_address},
                       {"--internal-addr", options.internal_address},
                       {"--metrics-addr", options.admin_address}}));
  options.insecure = insecure_;
  TRY(options.security, security_.options());
  options.metadata.provider = provider_ == "memory" ? MetadataOptions::Provider::memory
                              : provider_ == "raft" ? MetadataOptions::Provider::raft
                                                    : MetadataOptions::Provider::file;
  options.metadata.cluster = raft_cluster_;
  if (provider_ == "raft") {
    if (raft_nodes_.empty()) {
      return fail(Errc::invalid_argument,
                  "metadata.raft.bootstrap-nodes: the raft provider needs the addresses of all coordinators");
    }
    const std::string list = fmt::format("{}", fmt::join(raft_nodes_, ","));
    TRY(options.metadata.members, control::RaftMembers::parse(list, raft_address_.empty() ? internal_address_ : raft_address_));
  }
  options.metadata.folder = folder_;
  if (folder_.empty()) return fail(Errc::invalid_argument, "metadata.dir: name a folder");
  options.config_file = config_file_.empty() ? folder_ + "/" + config_name_ : config_file_;
  return options;
}

}  // namespace skerry::node
