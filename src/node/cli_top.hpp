// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "node/cli_command.hpp"

namespace skerry::node {

// skerry top: what a running process does right now, from its /metrics.
void add_top_command(CLI::App& app, Command& chosen);

}  // namespace skerry::node
