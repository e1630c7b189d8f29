// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "node/cli_command.hpp"

namespace skerry::node {

// skerry completion bash | zsh | fish: prints a script that completes subcommands and flags. Add it last: it knows what `app`
// has when it runs. `app` must outlive the command.
void add_completion_command(CLI::App& app, Command& chosen);

// The words that one command takes, read from the definition of the command line.
struct CommandWords {
  struct Flag {
    std::vector<std::string> names;   // with their dashes
    std::string help;                 // first line
    bool takes_value = false;
    std::vector<std::string> choices;   // of the value; none: a file is as good a guess as any
  };
  std::vector<std::string> path;      // "client", "put"; empty for the program itself
  std::string help;
  std::vector<Flag> flags;            // those of its parents too, where they may be given after it
  std::vector<std::string> subcommands;
  std::vector<std::string> choices;   // of the first word that is no flag
};
std::vector<CommandWords> command_words(const CLI::App& app);

std::string bash_completion(std::string_view program, const std::vector<CommandWords>& commands);
std::string zsh_completion(std::string_view program, const std::vector<CommandWords>& commands);
std::string fish_completion(std::string_view program, const std::vector<CommandWords>& commands);

}  // namespace skerry::node
