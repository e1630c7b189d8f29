// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "node/cli_command.hpp"

namespace skerry::node {

// skerry client put | get | delete | delete-range | list | range-scan | notifications | sequence-updates, with the words and flags of
// Oxia's `oxia client`, and ours beside them.
void add_client_command(CLI::App& app, Command& chosen);

}   // namespace skerry::node
