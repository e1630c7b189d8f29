// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "node/cli_command.hpp"

namespace skerry::node {

// skerry health: asks a server's gRPC health service once; for probes of systemd, Docker and Kubernetes.
void add_health_command(CLI::App& app, Command& chosen);

}  // namespace skerry::node
