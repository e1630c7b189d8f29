// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "node/cli_command.hpp"

namespace skerry::node {

// skerry wal scan | verify: looks into the logs of a data folder without changing them, also while a process runs on it.
void add_wal_command(CLI::App& app, Command& chosen);

}  // namespace skerry::node
