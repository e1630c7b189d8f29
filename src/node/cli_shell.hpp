// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "node/cli_command.hpp"

namespace skerry::node {

// skerry shell: the words of `client` and `admin`, one line each, over one connection that stays. At a terminal with line
// editing, history and completion; otherwise the lines of standard input until one fails.
void add_shell_command(CLI::App& app, Command& chosen);

}   // namespace skerry::node
