// SPDX-License-Identifier: Apache-2.0
#include "node/cluster_settings.hpp"

#include <fmt/format.h>

namespace skerry::node {

ClusterServerSettings::ClusterServerSettings()
    : serving_("./data/db",
               "How many cores (\"2\"), or which processors (\"0,2\", \"0-3\", pinned). Each is a node of its own, on ports 10 higher "
               "than the one before; a folder keeps the number that it was made with.") {
  serving_.declare_ports(settings_);
  settings_
      .add("internal.address", internal_address_,
           "Where the coordinator and the other servers connect, host:port. Loopback unless you say otherwise.")
      .flags("-i,--internal-addr")
      .also("server.internal.bindAddress");
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

}  // namespace skerry::node
