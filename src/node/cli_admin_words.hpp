// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "node/cli_admin_output.hpp"
#include "node/cli_command.hpp"
#include "node/cli_connection.hpp"

namespace skerry::node {

// What the flags of `admin` itself say.
struct AdminFlags : ConnectionFlags {
  AdminFormat format = AdminFormat::table;
};

// One word below `admin …`, with the flags of `admin` before or after it and its own in `flags`.
template <class Own>
class AdminWord {
 public:
  using Action = int (*)(const AdminFlags&, const Own&);
  AdminWord(CLI::App& parent, const char* name, const char* help) : app(*parent.add_subcommand(name, help)) { app.fallthrough(); }
  void runs(Command& chosen, std::shared_ptr<const AdminFlags> shared, Action action) {
    app.callback([&chosen, shared = std::move(shared), own = flags, action] {
      chosen = [shared, own, action] { return action(*shared, *own); };
    });
  }
  CLI::App& app;
  std::shared_ptr<Own> flags = std::make_shared<Own>();
};

// Words that have others below them.
inline CLI::App& add_admin_group(CLI::App& admin, const char* name, const char* help) {
  CLI::App& group = *admin.add_subcommand(name, help);
  group.require_subcommand(1);
  group.fallthrough();
  return group;
}

void add_namespace_words(CLI::App& admin, Command& chosen, const std::shared_ptr<const AdminFlags>& shared);
void add_dataserver_words(CLI::App& admin, Command& chosen, const std::shared_ptr<const AdminFlags>& shared);
// shard, leader, node, cluster: of ours.
void add_cluster_words(CLI::App& admin, Command& chosen, const std::shared_ptr<const AdminFlags>& shared);

inline std::string oxia_admin_method(std::string_view name) { return "/io.oxia.proto.v1.OxiaAdmin/" + std::string(name); }

// Text to standard output; the exit status.
int print_admin(const std::string& text);

}   // namespace skerry::node
