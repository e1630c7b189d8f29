// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "node/cli_command.hpp"

namespace skerry::node {

// `token`: a new random token, and the entry of the users file that lets its holder in.
void add_token_command(CLI::App& app, Command& chosen);

}  // namespace skerry::node
