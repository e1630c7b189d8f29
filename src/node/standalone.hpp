// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "net/stream.hpp"
#include "node/data_folder.hpp"
#include "node/exposure.hpp"
#include "node/security.hpp"
#include "node/storage.hpp"
#include "node/tracing_options.hpp"
#include "runtime/app.hpp"

namespace skerry::node {

// A whole cluster in one process: one public address, every namespace and shard behind it.
struct StandaloneOptions {
  net::Address public_address;
  std::optional<net::Address> admin_address;    // metrics, health, log level; nothing: not served
  ServeJson json_api = ServeJson::by_itself;    // there, too
  bool insecure = false;                        // no warning about an address that others can reach
  SecurityOptions security;                     // TLS, and who may do what
  TracingWish tracing;
  std::string data_folder;
  std::string cores;   // as CorePlacement::parse takes it; empty: one for each node, at most the machine's
  bool pin = false;
  std::vector<NamespaceWish> namespaces;
  StorageOptions storage;   // without its folder
  AppOptions app;   // without its placement
};

// Runs until a signal ends it; returns the exit code. Says on stderr what keeps it from starting.
int run_standalone(StandaloneOptions options, LogRegistry& log);

}   // namespace skerry::node
