// SPDX-License-Identifier: Apache-2.0
#include "node/server_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <memory>

#include "node/cluster_settings.hpp"
#include "node/standalone_settings.hpp"

namespace skerry::node {
namespace {

constexpr const char* schema_title = "Configuration of `skerry standalone`";

// Loads file, environment and flags. An empty path means no file.
template <class RoleSettings>
Result<> load(RoleSettings& role, const std::string& path, bool with_environment) {
  SettingSources sources;
  if (with_environment) sources.environment = process_environment();
  if (!path.empty()) {
    sources.file_name = path;
    TRY(sources.file_text, read_settings_file(path));
  }
  TRYV(role.settings().load(sources));
  TRYV(role.log_options());
  TRYV(role.options());
  for (const std::string& warning : role.settings().warnings()) fmt::print(stderr, "Warning: {}\n", warning);
  return {};
}

int refuse(const Error& error) {
  fmt::print(stderr, "Error: {}\n", error.message());
  return exit_usage;
}

int start(StandaloneOptions options, LogRegistry& log) { return run_standalone(std::move(options), log); }
int start(CoordinatorOptions options, LogRegistry& log) { return run_coordinator(std::move(options), log); }
int start(ClusterServerOptions options, LogRegistry& log) { return run_cluster_server(std::move(options), log); }

template <class RoleSettings>
int run(RoleSettings& role, const std::string& path) {
  if (const Result<> loaded = load(role, path, true); !loaded) return refuse(loaded.error());
  const SystemClock clock;
  LogRegistry log(clock, *role.log_options());
  return start(*role.options(), log);
}

// A subcommand that runs until a signal ends it. `file_flags` name the configuration file.
template <class RoleSettings>
void add_role(CLI::App& command, Command& chosen, const char* file_flags) {
  const auto role = std::make_shared<RoleSettings>();
  const auto path = std::make_shared<std::string>();
  command.add_option(file_flags, *path, "Configuration file (YAML)")->type_name("FILE");
  role->settings().add_flags(command);
  command.callback([&chosen, role, path] { chosen = [role, path] { return run(*role, *path); }; });
}

int check(const std::string& path) {
  StandaloneSettings standalone;
  if (const Result<> loaded = load(standalone, path, false); !loaded) return refuse(loaded.error());
  fmt::print("{} is fine.\n", path);
  return exit_ok;
}

int show(const std::string& path) {
  StandaloneSettings standalone;
  if (const Result<> loaded = load(standalone, path, true); !loaded) return refuse(loaded.error());
  fmt::print("{}", standalone.settings().show());
  return exit_ok;
}

int schema(const std::string& output) {
  const std::string text = StandaloneSettings().settings().schema(schema_title);
  if (output.empty()) return fmt::print("{}", text), exit_ok;
  std::ofstream file(output, std::ios::binary);
  file << text;
  file.close();
  if (file) return exit_ok;
  return report({Errc::io_failed, fmt::format("{} can't be written: check the path and its permissions", output)});
}

}  // namespace

void add_standalone_command(CLI::App& app, Command& chosen) {
  CLI::App& command = *app.add_subcommand("standalone", "Run a whole store in this one process")
                           ->footer(
                               "Example:\n  skerry standalone --shards 4 --data-dir /var/lib/skerry\n"
                               "  skerry client put /greeting hello && skerry client get /greeting\n\n"
                               "Every flag is also a key of the YAML file (--config) and a variable SKERRY_…; flags win over\n"
                               "variables, variables over the file. `skerry config show` prints all with where they come from.\n"
                               "What is on by default is switched off with =false: --notifications-enabled=false.\n"
                               "Ctrl-C stops gracefully; killing it loses nothing that was acknowledged.");
  add_role<StandaloneSettings>(command, chosen, "--config");
}

void add_cluster_server_command(CLI::App& app, Command& chosen) {
  CLI::App& command =
      *app.add_subcommand("server", "Run storage nodes of a cluster in this process")
           ->footer(
               "Example:\n  skerry server -p 10.0.0.1:6648 -i 10.0.0.1:6649 --data-dir /var/lib/skerry\n\n"
               "The node joins when a coordinator whose configuration names its addresses calls; until then it waits.\n"
               "Every flag is also a key of the YAML file and a variable SKERRY_…; Oxia's files and flags are taken as they are.\n"
               "Ctrl-C stops gracefully; killing it loses nothing that was acknowledged.");
  add_role<ClusterServerSettings>(command, chosen, "--config,--sconfig");
}

void add_coordinator_command(CLI::App& app, Command& chosen) {
  CLI::App& command =
      *app.add_subcommand("coordinator", "Run the coordinator of a cluster: it elects, places and repairs")
           ->footer(
               "Example of a cluster's configuration, metadata/cluster.yaml:\n"
               "  namespaces:\n    - {name: default, initialShardCount: 4, replicationFactor: 3}\n"
               "  servers:\n    - {name: one, public: 10.0.0.1:6648, internal: 10.0.0.1:6649}\n\n"
               "It is watched: what changes there is carried out while everything runs. Data flows without a coordinator, but nothing\n"
               "fails over. Every flag is also a key of the YAML file and a variable SKERRY_…; Oxia's files and flags are taken.");
  add_role<CoordinatorSettings>(command, chosen, "--config,--sconfig");
}

void add_config_command(CLI::App& app, Command& chosen) {
  CLI::App& config = *app.add_subcommand("config", "Check and explain configuration files");
  config.require_subcommand(1);
  const auto path = std::make_shared<std::string>();
  const auto add = [&](const char* name, const char* help, auto action) {
    CLI::App* command = config.add_subcommand(name, help);
    command->callback([&chosen, path, action] { chosen = [path, action] { return action(*path); }; });
    return command;
  };
  add("check", "Say whether `skerry standalone --config FILE` would accept it", check)
      ->add_option("FILE", *path, "Configuration file (YAML)")
      ->required();
  add("show", "Print every setting, its value and where that comes from, as YAML", show)
      ->add_option("FILE", *path, "Configuration file (YAML); without it, defaults and variables");
  for (const char* name : {"schema", "create-schema"}) {   // the second is Oxia's word
    add(name, "Print the JSON schema of the configuration file", schema)
        ->add_option("-o,--output", *path, "Write it to this file");
  }
}

}  // namespace skerry::node
