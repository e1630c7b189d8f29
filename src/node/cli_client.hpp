// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "node/cli_command.hpp"

namespace skerry::node {

// skerry client put | get | delete | delete-range | list | range-scan | notifications | sequence-updates, with the words and
// flags of Oxia's `oxia client`, and ours beside them.
void add_client_command(CLI::App& app, Command& chosen);

// Flags of everything that reads and writes records, beside those of the connection.
struct ClientFlags;
void add_client_options(CLI::App& app, ClientFlags& flags);

// The same words below `app` itself, with flags that are settled already. For the shell.
void add_client_words(CLI::App& app, Command& chosen, const std::shared_ptr<const ClientFlags>& flags);

}   // namespace skerry::node
