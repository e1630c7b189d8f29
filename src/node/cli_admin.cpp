// SPDX-License-Identifier: Apache-2.0
#include "node/cli_admin.hpp"

#include <CLI/CLI.hpp>
#include <memory>

#include "node/cli_admin_words.hpp"
#include "node/cli_session.hpp"

namespace skerry::node {

int print_admin(const std::string& text) {
  Output out;
  out.raw(text);
  return out.finish(exit_ok);
}

void add_admin_command(CLI::App& app, Command& chosen, const ConnectionFlags& defaults) {
  CLI::App& admin = *app.add_subcommand("admin", "Manage a running store or cluster");
  admin.footer(
      "A standalone answers for itself, at its public address. A cluster is managed through its coordinator:\n"
      "  skerry admin -a localhost:6651 cluster status\n\n" +
      exit_statuses_text());
  admin.require_subcommand(1);
  const auto shared = std::make_shared<AdminFlags>();
  static_cast<ConnectionFlags&>(*shared) = defaults;
  add_connection_options(admin, *shared, "-a,--admin-address", "SKERRY_ADMIN_ADDRESS");
  const auto take_format = [shared = shared.get()](const std::string& name) { shared->format = parse_admin_format(name); };
  admin.add_option_function<std::string>("-o,--output", take_format, "How answers are printed")
      ->type_name("table|json|yaml|name")
      ->transform(CLI::IsMember({"table", "json", "yaml", "name"}, CLI::ignore_case))
      ->option_text("table|json|yaml|name (table)");
  add_namespace_words(admin, chosen, shared);
  add_dataserver_words(admin, chosen, shared);
  add_cluster_words(admin, chosen, shared);
}

}  // namespace skerry::node
