// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "node/cli_command.hpp"

namespace skerry::node {

// skerry perf: puts a store under an even load and says how it answers, with the flags and the report of `oxia perf`, and ours
// beside them.
void add_perf_command(CLI::App& app, Command& chosen);

}  // namespace skerry::node
