// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "node/cli_command.hpp"

namespace skerry::node {

// skerry cluster up | kill | pause | resume | restart | partition | heal: a whole cluster on this machine, to try things out.
void add_cluster_command(CLI::App& app, Command& chosen);

}   // namespace skerry::node
