// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "node/cli_command.hpp"

namespace skerry::node {

// skerry standalone: a whole store in one process, in the foreground.
void add_standalone_command(CLI::App& app, Command& chosen);
// skerry server: the storage nodes of a cluster, in the foreground.
void add_cluster_server_command(CLI::App& app, Command& chosen);
// skerry coordinator: who elects, places and repairs in a cluster, in the foreground.
void add_coordinator_command(CLI::App& app, Command& chosen);
// skerry config check | schema | show: configuration files, without starting anything.
void add_config_command(CLI::App& app, Command& chosen);

}  // namespace skerry::node
