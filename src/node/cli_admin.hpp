// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "node/cli_command.hpp"
#include "node/cli_connection.hpp"

namespace skerry::node {

// skerry admin namespace list | get | create | patch | delete, with the words and flags of Oxia's `oxia admin`.
// `defaults` are what its connection flags say when they are not given.
void add_admin_command(CLI::App& app, Command& chosen, const ConnectionFlags& defaults = {});

}  // namespace skerry::node
