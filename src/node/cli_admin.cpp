// SPDX-License-Identifier: Apache-2.0
#include "node/cli_admin.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <memory>

#include "node/cli_admin_output.hpp"
#include "node/cli_call.hpp"
#include "node/cli_session.hpp"

namespace skerry::node {
namespace {

namespace pb = io::oxia::proto::v1;

struct AdminFlags : ConnectionFlags {
  AdminFormat format = AdminFormat::table;
};
struct NamespaceFlags {
  std::string name;
  std::uint32_t shards = 1, replication = 1;
  bool notifications = true, notifications_given = false, replication_given = false, yes = false;
  std::string key_sorting = "hierarchical";
};
using Action = int (*)(const AdminFlags&, const NamespaceFlags&);

std::string method(std::string_view name) { return fmt::format("/io.oxia.proto.v1.OxiaAdmin/{}", name); }

int print(const std::string& text) {
  Output out;
  out.raw(text);
  return out.finish(exit_ok);
}

int list(const AdminFlags& flags, const NamespaceFlags&) {
  pb::ListNamespacesResponse reply;
  const Result<> done = ask_server(flags, method("ListNamespaces"), pb::ListNamespacesRequest(), reply);
  if (!done) return report(done.error());
  return print(namespaces_text({reply.namespaces().begin(), reply.namespaces().end()}, flags.format));
}

int get(const AdminFlags& flags, const NamespaceFlags& own) {
  pb::GetNamespaceRequest request;
  request.set_namespace_(own.name);
  pb::GetNamespaceResponse reply;
  const Result<> done = ask_server(flags, method("GetNamespace"), request, reply);
  return done ? print(namespace_text(reply.namespace_(), flags.format)) : report(done.error());
}

int create(const AdminFlags& flags, const NamespaceFlags& own) {
  pb::CreateNamespaceRequest request;
  pb::Namespace& wish = *request.mutable_namespace_();
  wish.set_name(own.name);
  wish.set_initial_shard_count(own.shards);
  wish.set_replication_factor(own.replication);
  wish.set_notifications_enabled(own.notifications);
  wish.set_key_sorting(own.key_sorting);
  pb::CreateNamespaceResponse reply;
  const Result<> done = ask_server(flags, method("CreateNamespace"), request, reply);
  return done ? print(namespaces_text({reply.namespace_()}, flags.format)) : report(done.error());
}

int patch(const AdminFlags& flags, const NamespaceFlags& own) {
  if (!own.notifications_given && !own.replication_given) {
    return report({Errc::invalid_argument, "nothing to change: give --notifications or --notifications=false"});
  }
  pb::PatchNamespaceRequest request;
  pb::Namespace& wish = *request.mutable_namespace_();
  wish.set_name(own.name);
  if (own.notifications_given) wish.set_notifications_enabled(own.notifications);
  if (own.replication_given) wish.set_replication_factor(own.replication);
  pb::PatchNamespaceResponse reply;
  const Result<> done = ask_server(flags, method("PatchNamespace"), request, reply);
  return done ? print(namespaces_text({reply.namespace_()}, flags.format)) : report(done.error());
}

// A person is asked for the name once more; a script has to have said --yes.
Result<> confirm(const std::string& name) {
  if (::isatty(STDIN_FILENO) == 0) {
    return fail(Errc::invalid_argument,
                fmt::format("this deletes every record of namespace {} for good: say --yes to do it", printable(name)));
  }
  fmt::print(stderr, "This deletes every record of namespace {} for good.\nIts name again, to go on: ", printable(name));
  std::string typed;
  if (std::getline(std::cin, typed) && typed == name) return {};
  return fail(Errc::cancelled, "that is not its name; nothing was deleted");
}

int remove(const AdminFlags& flags, const NamespaceFlags& own) {
  if (!own.yes) {
    if (const Result<> confirmed = confirm(own.name); !confirmed) return report(confirmed.error());
  }
  pb::DeleteNamespaceRequest request;
  request.set_namespace_(own.name);
  pb::DeleteNamespaceResponse reply;
  const Result<> done = ask_server(flags, method("DeleteNamespace"), request, reply);
  if (!done) return report(done.error());
  fmt::print(stderr, "Deleted namespace {}.\n", own.name);
  return exit_ok;
}

// One word below `admin namespace`, with the flags of `admin` before or after it.
class Word {
 public:
  Word(CLI::App& parent, const char* name, const char* help) : app(*parent.add_subcommand(name, help)) { app.fallthrough(); }
  void named() { app.add_option("NAME", flags->name, "The namespace")->required(); }
  void runs(Command& chosen, std::shared_ptr<const AdminFlags> shared, Action action) {
    app.callback([&chosen, shared = std::move(shared), own = flags, action] {
      chosen = [shared, own, action] { return action(*shared, *own); };
    });
  }
  CLI::App& app;
  std::shared_ptr<NamespaceFlags> flags = std::make_shared<NamespaceFlags>();
};

void add_words(CLI::App& parent, Command& chosen, const std::shared_ptr<const AdminFlags>& shared) {
  Word(parent, "list", "List the namespaces").runs(chosen, shared, list);

  Word getting(parent, "get", "Show a namespace and its shards");
  getting.named();
  getting.runs(chosen, shared, get);

  Word creating(parent, "create", "Make a namespace");
  creating.app.footer("Example:\n  skerry admin namespace create logs --initial-shards 4 --key-sorting natural");
  creating.named();
  creating.app.add_option("--initial-shards", creating.flags->shards, "How many shards; fixed from then on")
      ->capture_default_str();
  creating.app.add_option("--replication-factor", creating.flags->replication, "Copies of each shard; 1 on one machine")
      ->capture_default_str();
  creating.app.add_flag("--notifications", creating.flags->notifications, "Let clients follow changes; on unless =false");
  creating.app.add_option("--key-sorting", creating.flags->key_sorting, "Order of its keys; fixed from then on")
      ->check(CLI::IsMember({"hierarchical", "natural"}))
      ->capture_default_str();
  creating.runs(chosen, shared, create);

  Word patching(parent, "patch", "Change a namespace");
  patching.app.footer("Example:\n  skerry admin namespace patch logs --notifications=false");
  patching.named();
  NamespaceFlags& patched = *patching.flags;
  patching.app.add_flag("--notifications", patched.notifications, "Let clients follow changes, or with =false not")
      ->each([&patched](const std::string&) { patched.notifications_given = true; });
  patching.app.add_option("--replication-factor", patched.replication, "Copies of each shard; 1 on one machine")
      ->each([&patched](const std::string&) { patched.replication_given = true; });
  patching.runs(chosen, shared, patch);

  Word deleting(parent, "delete", "Delete a namespace with all its records");
  deleting.app.footer(
      "A namespace that `skerry standalone --namespace` names is made anew, and empty, by the next start.\n"
      "Example:\n  skerry admin namespace delete logs --yes");
  deleting.named();
  deleting.app.add_flag("-y,--yes", deleting.flags->yes, "Don't ask");
  deleting.runs(chosen, shared, remove);
}

}  // namespace

void add_admin_command(CLI::App& app, Command& chosen, const ConnectionFlags& defaults) {
  CLI::App& admin = *app.add_subcommand("admin", "Manage a running store");
  admin.footer(exit_statuses_text());
  admin.require_subcommand(1);
  const auto shared = std::make_shared<AdminFlags>();
  static_cast<ConnectionFlags&>(*shared) = defaults;
  add_connection_options(admin, *shared, "-a,--admin-address");
  const auto take_format = [shared = shared.get()](const std::string& name) { shared->format = parse_admin_format(name); };
  admin.add_option_function<std::string>("-o,--output", take_format, "How answers are printed")
      ->type_name("table|json|yaml|name")
      ->transform(CLI::IsMember({"table", "json", "yaml", "name"}, CLI::ignore_case))
      ->option_text("table|json|yaml|name (table)");
  CLI::App& spaces = *admin.add_subcommand("namespace", "Make, list, change and delete namespaces");
  spaces.require_subcommand(1);
  spaces.fallthrough();
  add_words(spaces, chosen, shared);
}

}  // namespace skerry::node
