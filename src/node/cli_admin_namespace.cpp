// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "node/cli_admin_words.hpp"
#include "node/cli_call.hpp"
#include "node/cli_number.hpp"

// Below `admin namespace`.
namespace skerry::node {
namespace {

namespace pb = io::oxia::proto::v1;

struct NamespaceFlags {
  std::string name;
  std::uint32_t shards = 1, replication = 0;
  bool notifications = true, notifications_given = false, yes = false;
  std::string key_sorting = "hierarchical";
};
using NamespaceWord = AdminWord<NamespaceFlags>;

int list(const AdminFlags& flags, const NamespaceFlags&) {
  pb::ListNamespacesResponse reply;
  const Result<> done = ask_server(flags, oxia_admin_method("ListNamespaces"), pb::ListNamespacesRequest(), reply);
  if (!done) return report(done.error());
  return print_admin(namespaces_text({reply.namespaces().begin(), reply.namespaces().end()}, flags.format));
}

int get(const AdminFlags& flags, const NamespaceFlags& own) {
  pb::GetNamespaceRequest request;
  request.set_namespace_(own.name);
  pb::GetNamespaceResponse reply;
  const Result<> done = ask_server(flags, oxia_admin_method("GetNamespace"), request, reply);
  return done ? print_admin(namespace_text(reply.namespace_(), flags.format)) : report(done.error());
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
  const Result<> done = change_server(flags, oxia_admin_method("CreateNamespace"), request, reply);
  return done ? print_admin(namespaces_text({reply.namespace_()}, flags.format)) : report(done.error());
}

int patch(const AdminFlags& flags, const NamespaceFlags& own) {
  if (!own.notifications_given && own.replication == 0) {
    return report(
        {Errc::invalid_argument, "nothing to change: give --notifications, --notifications=false or --replication-factor"});
  }
  pb::PatchNamespaceRequest request;
  pb::Namespace& wish = *request.mutable_namespace_();
  wish.set_name(own.name);
  if (own.notifications_given) wish.set_notifications_enabled(own.notifications);
  if (own.replication != 0) wish.set_replication_factor(own.replication);
  pb::PatchNamespaceResponse reply;
  const Result<> done = change_server(flags, oxia_admin_method("PatchNamespace"), request, reply);
  return done ? print_admin(namespaces_text({reply.namespace_()}, flags.format)) : report(done.error());
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
  const Result<> done = change_server(flags, oxia_admin_method("DeleteNamespace"), request, reply);
  if (!done) return report(done.error());
  fmt::print(stderr, "Deleted namespace {}.\n", own.name);
  return exit_ok;
}

void take_name(NamespaceWord& word) { word.app.add_option("NAME", word.flags->name, "The namespace")->required(); }

void add_words(CLI::App& parent, Command& chosen, const std::shared_ptr<const AdminFlags>& shared) {
  NamespaceWord(parent, "list", "List the namespaces").runs(chosen, shared, list);

  NamespaceWord getting(parent, "get", "Show a namespace and its shards");
  take_name(getting);
  getting.runs(chosen, shared, get);

  NamespaceWord creating(parent, "create", "Make a namespace");
  creating.app.footer(
      "Example:\n  skerry admin namespace create logs --initial-shards 4 --key-sorting natural\n"
      "In a cluster ask the coordinator:\n"
      "  skerry admin -a localhost:6651 namespace create logs --initial-shards 4 --replication-factor 3");
  take_name(creating);
  creating.app.add_option("--initial-shards", creating.flags->shards, "How many shards; fixed from then on")
      ->transform(whole_number<std::uint32_t>())
      ->capture_default_str();
  creating.app
      .add_option("--replication-factor", creating.flags->replication,
                  "Copies of each shard; without it 1 on one machine, in a cluster 3 or as many as it has servers")
      ->transform(whole_number<std::uint32_t>());
  creating.app.add_flag("--notifications", creating.flags->notifications, "Let clients follow changes; on unless =false");
  creating.app.add_option("--key-sorting", creating.flags->key_sorting, "Order of its keys; fixed from then on")
      ->check(CLI::IsMember({"hierarchical", "natural"}))
      ->capture_default_str();
  creating.runs(chosen, shared, create);

  NamespaceWord patching(parent, "patch", "Change a namespace");
  patching.app.footer(
      "Example:\n  skerry admin namespace patch logs --notifications=false\n"
      "  skerry admin -a localhost:6651 namespace patch logs --replication-factor 5");
  take_name(patching);
  NamespaceFlags& patched = *patching.flags;
  patching.app.add_flag("--notifications", patched.notifications, "Let clients follow changes, or with =false not")
      ->each([&patched](const std::string&) { patched.notifications_given = true; });
  patching.app.add_option("--replication-factor", patched.replication, "Copies of each shard, made or removed from now on")
      ->transform(whole_number<std::uint32_t>());
  patching.runs(chosen, shared, patch);

  NamespaceWord deleting(parent, "delete", "Delete a namespace with all its records");
  deleting.app.footer(
      "A namespace that `skerry standalone --namespace` names is made anew, and empty, by the next start. A coordinator\n"
      "takes it out of the cluster's configuration, too.\n"
      "Example:\n  skerry admin namespace delete logs --yes");
  take_name(deleting);
  deleting.app.add_flag("-y,--yes", deleting.flags->yes, "Don't ask");
  deleting.runs(chosen, shared, remove);
}

}  // namespace

void add_namespace_words(CLI::App& admin, Command& chosen, const std::shared_ptr<const AdminFlags>& shared) {
  add_words(add_admin_group(admin, "namespace", "Make, list, change and delete namespaces"), chosen, shared);
}

}  // namespace skerry::node
