// SPDX-License-Identifier: Apache-2.0
#include "node/cli_command.hpp"

#include <fmt/ranges.h>

#include <CLI/CLI.hpp>

#include "client/error.hpp"

namespace skerry::node {

using client::ClientErrc;

ExitStatus exit_status(const Error& error) {
  if (error == ClientErrc::key_not_found || error == ClientErrc::namespace_not_found || error == Errc::not_found) {
    return exit_not_found;
  }
  if (error == ClientErrc::unexpected_version_id) return exit_version_conflict;
  if (error == ClientErrc::outcome_unknown) return exit_outcome_unknown;
  if (error == Errc::unavailable || error == Errc::deadline_exceeded) return exit_unavailable;
  if (error == Errc::invalid_argument) return exit_usage;
  return exit_failed;
}

int report(const Error& error) {
  fmt::print(stderr, "Error: {}\n", error.message());
  return exit_status(error);
}

int exit_for(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) return app.exit(error);   // help and version
  // A misspelt subcommand is first of all a missing one to the parser; people want to hear of the misspelling.
  const std::vector<std::string> unknown = app.remaining(true);
  const bool misspelt = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError) && !unknown.empty();
  if (misspelt) {
    fmt::print(stderr, "Error: unknown {}: {}\n", unknown.front().starts_with('-') ? "flag" : "subcommand", unknown.front());
  } else if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError) && !unknown.empty()) {
    fmt::print(stderr, "Error: not expected: {}\n", fmt::join(unknown, " "));   // in the order they were written
  } else {
    fmt::print(stderr, "Error: {}\n", error.what());
  }
  const CLI::App* deepest = &app;
  for (auto chosen = deepest->get_subcommands(); !chosen.empty(); chosen = deepest->get_subcommands()) deepest = chosen.front();
  std::string words = deepest->get_name();
  for (const CLI::App* parent = deepest->get_parent(); parent != nullptr; parent = parent->get_parent()) {
    words = parent->get_name() + " " + words;
  }
  fmt::print(stderr, "`{} --help` tells what it takes.\n", words);
  return exit_usage;
}

}  // namespace skerry::node
