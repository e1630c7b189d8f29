// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "node/cli_command.hpp"
#include "node/cli_connection.hpp"

namespace skerry::node {

// skerry backup and skerry restore: namespaces to files or pipes and back.
void add_backup_commands(CLI::App& app, Command& chosen);

}  // namespace skerry::node
