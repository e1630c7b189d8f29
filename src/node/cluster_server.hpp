// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>

#include "net/stream.hpp"
#include "node/node_storage.hpp"
#include "node/security.hpp"
#include "node/standalone.hpp"
#include "node/tracing_options.hpp"
#include "runtime/app.hpp"

namespace skerry::node {

// `skerry server`: a nodepool of storage nodes, one for each core, that serves what its cluster's coordinator gives it.
struct ClusterServerOptions {
  net::Address public_address;     // of node 0, where clients call; node K: its port + 10·K
  net::Address internal_address;   // the same, where coordinator and other nodes call
  std::optional<net::Address> admin_address;
  ServeJson json_api = ServeJson::by_itself;
  bool insecure = false;
  bool check_authority = true;     // answer only at addresses that the cluster's configuration names
  SecurityOptions security;
  TracingWish tracing;
  std::string data_folder;
  std::string cores = "1";         // as CorePlacement::parse takes it
  bool pin = false;
  NodeStorageOptions storage;
  AppOptions app;                  // without its placement
};

// Runs until a signal ends it; returns the exit code. Says on stderr what keeps it from starting.
int run_cluster_server(ClusterServerOptions options, LogRegistry& log);

}   // namespace skerry::node
