// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <CLI/Error.hpp>
#include <functional>
#include <string>

#include "base/result.hpp"

namespace CLI {
class App;
}

namespace skerry::node {

// What the chosen subcommand will do once the command line has been read as a whole; returns the exit status. Each add_…_command
// hangs its subcommands under `app`, and the one that is named on the command line sets `chosen`. Both must outlive the parse.
using Command = std::function<int()>;

// Exit status of every subcommand, whichever meets the cause. Part of the interface: scripts branch on it.
enum ExitStatus : int {
  exit_ok = 0,
  exit_failed = 1,            // anything not named below
  exit_usage = 2,             // the command line, or what it hands in, is wrong
  exit_not_found = 3,         // no such key, namespace or other thing that was named
  exit_version_conflict = 4,  // the record is not of the expected version
  exit_unavailable = 5,       // no server answered in time; nothing was changed
  exit_outcome_unknown = 6,   // a write or a change was sent, and whether it took effect is not known
  exit_not_allowed = 7,       // the server doesn't let this caller do it: no or unknown proof, or a role that is too low
};
ExitStatus exit_status(const Error& error);
// All of them and what they mean: for the end of --help.
std::string exit_statuses_text();

// Prints "Error: …" to stderr and returns the status that belongs to it.
int report(const Error& error);

// Gives this command, and each below it that has subcommands, the word `help`: `client help put` is `client put --help`. When all
// are there.
void add_help_words(CLI::App& app, Command& chosen);

// For main(): prints help or what is wrong with the command line; 0 for help, else exit_usage.
int exit_for(const CLI::App& app, const CLI::ParseError& error);

}   // namespace skerry::node
