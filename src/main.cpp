// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "node/cli_admin.hpp"
#include "node/cli_backup.hpp"
#include "node/cli_client.hpp"
#include "node/cli_cluster.hpp"
#include "node/cli_command.hpp"
#include "node/cli_health.hpp"
#include "node/cli_perf.hpp"
#include "node/cli_shell.hpp"
#include "node/cli_token.hpp"
#include "node/cli_top.hpp"
#include "node/completion.hpp"
#include "node/server_command.hpp"
#include "node/wal_command.hpp"

namespace {

using skerry::node::Command;

std::string version_text() { return fmt::format("skerry {}", SKERRY_VERSION); }

void add_version_command(CLI::App& app, Command& chosen) {
  app.set_version_flag("--version", version_text);
  app.add_subcommand("version", "Print the version")->callback([&chosen] {
    chosen = [] { return fmt::print("{}\n", version_text()), 0; };
  });
}

}  // namespace

int main(int argc, char** argv) {
  using namespace skerry::node;
  CLI::App app{
      "Skerry: a self-hosted platform for stateful applications, in one program.\n"
      "Start a store with `skerry standalone`, talk to it with `skerry client`; `skerry cluster up` tries a whole cluster.",
      "skerry"};
  app.footer(exit_statuses_text());
  app.require_subcommand(1);
  app.fallthrough();
  Command chosen;
  add_standalone_command(app, chosen);
  add_cluster_server_command(app, chosen);
  add_coordinator_command(app, chosen);
  add_cluster_command(app, chosen);
  add_client_command(app, chosen);
  add_admin_command(app, chosen);
  add_backup_commands(app, chosen);
  add_shell_command(app, chosen);
  add_perf_command(app, chosen);
  add_top_command(app, chosen);
  add_health_command(app, chosen);
  add_token_command(app, chosen);
  add_wal_command(app, chosen);
  add_config_command(app, chosen);
  add_version_command(app, chosen);
  add_completion_command(app, chosen);
  add_help_words(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return exit_for(app, error);
  }
  return chosen();
}
