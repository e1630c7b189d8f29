// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdio>
#include <vector>

#include "node/cli_admin_words.hpp"
#include "node/cli_call.hpp"

// Below `admin dataserver`.
namespace skerry::node {
namespace {

namespace pb = io::oxia::proto::v1;

struct ServerFlags {
  std::string name, public_address, internal_address;
  std::vector<std::string> labels;   // KEY=VALUE
};
using ServerWord = AdminWord<ServerFlags>;

Result<> take_labels(const std::vector<std::string>& given, pb::DataServerMetadata& into) {
  for (const std::string& each : given) {
    const std::size_t equals = each.find('=');
    if (equals == std::string::npos || equals == 0) {
      return fail(Errc::invalid_argument, fmt::format("--label {}: write KEY=VALUE, as rack=a", printable(each)));
    }
    (*into.mutable_labels())[each.substr(0, equals)] = each.substr(equals + 1);
  }
  return {};
}

Result<pb::DataServer> wish_of(const ServerFlags& own) {
  pb::DataServer wish;
  if (!own.name.empty()) wish.mutable_identity()->set_name(own.name);
  wish.mutable_identity()->set_public_(own.public_address);
  wish.mutable_identity()->set_internal(own.internal_address);
  if (!own.labels.empty()) TRYV(take_labels(own.labels, *wish.mutable_metadata()));
  return wish;
}

int list(const AdminFlags& flags, const ServerFlags&) {
  pb::ListDataServersResponse reply;
  const Result<> done = ask_server(flags, oxia_admin_method("ListDataServers"), pb::ListDataServersRequest(), reply);
  if (!done) return report(done.error());
  return print_admin(data_servers_text({reply.data_servers().begin(), reply.data_servers().end()}, flags.format));
}

int get(const AdminFlags& flags, const ServerFlags& own) {
  pb::GetDataServerRequest request;
  request.set_data_server(own.name);
  pb::GetDataServerResponse reply;
  const Result<> done = ask_server(flags, oxia_admin_method("GetDataServer"), request, reply);
  return done ? print_admin(data_server_text(reply.data_server(), flags.format)) : report(done.error());
}

int create(const AdminFlags& flags, const ServerFlags& own) {
  auto wish = wish_of(own);
  if (!wish) return report(wish.error());
  pb::CreateDataServerRequest request;
  *request.mutable_data_server() = *std::move(wish);
  pb::CreateDataServerResponse reply;
  const Result<> done = change_server(flags, oxia_admin_method("CreateDataServer"), request, reply);
  return done ? print_admin(data_servers_text({reply.data_server()}, flags.format)) : report(done.error());
}

int patch(const AdminFlags& flags, const ServerFlags& own) {
  if (own.public_address.empty() && own.internal_address.empty() && own.labels.empty()) {
    return report({Errc::invalid_argument, "nothing to change: give --public, --internal or --label"});
  }
  auto wish = wish_of(own);
  if (!wish) return report(wish.error());
  pb::PatchDataServerRequest request;
  *request.mutable_data_server() = *std::move(wish);
  pb::PatchDataServerResponse reply;
  const Result<> done = change_server(flags, oxia_admin_method("PatchDataServer"), request, reply);
  return done ? print_admin(data_servers_text({reply.data_server()}, flags.format)) : report(done.error());
}

int remove(const AdminFlags& flags, const ServerFlags& own) {
  pb::DeleteDataServerRequest request;
  request.set_data_server(own.name);
  pb::DeleteDataServerResponse reply;
  const Result<> done = change_server(flags, oxia_admin_method("DeleteDataServer"), request, reply);
  if (!done) return report(done.error());
  fmt::print(stderr, "{} is no longer configured; it leaves when its replicas are on others (`skerry admin node list`).\n",
             own.name);
  return exit_ok;
}

void take_name(ServerWord& word) {
  word.app.add_option("NAME", word.flags->name, "The server's name, or its internal address where it has none")->required();
}

CLI::Option* take_addresses(ServerWord& word) {
  word.app.add_option("--label", word.flags->labels, "KEY=VALUE, for anti-affinities; again for more")->type_name("KEY=VALUE");
  word.app.add_option("--public", word.flags->public_address, "Where clients connect, host:port");
  return word.app.add_option("--internal", word.flags->internal_address,
                             "Where the coordinator and other servers connect, host:port");
}

}  // namespace

void add_dataserver_words(CLI::App& admin, Command& chosen, const std::shared_ptr<const AdminFlags>& shared) {
  CLI::App& servers = add_admin_group(admin, "dataserver", "The servers of a cluster's configuration");
  ServerWord(servers, "list", "List the servers").runs(chosen, shared, list);

  ServerWord getting(servers, "get", "Show a server and its labels");
  take_name(getting);
  getting.runs(chosen, shared, get);

  ServerWord creating(servers, "create", "Add a server to the cluster");
  creating.app.footer(
      "Start `skerry server` at those addresses, before or after: it joins when the coordinator reaches it.\n"
      "Example:\n  skerry admin -a localhost:6651 dataserver create four --public 10.0.0.4:6648 --internal 10.0.0.4:6649 --label rack=b");
  take_name(creating);
  take_addresses(creating)->required();
  creating.app.get_option("--public")->required();
  creating.runs(chosen, shared, create);

  ServerWord patching(servers, "patch", "Change a server's addresses or labels");
  patching.app.footer(
      "Labels that are given replace all that it had.\n"
      "Example:\n  skerry admin -a localhost:6651 dataserver patch four --label rack=c");
  take_name(patching);
  take_addresses(patching);
  patching.runs(chosen, shared, patch);

  ServerWord deleting(servers, "delete", "Take a server out of the cluster, once its replicas are on others");
  deleting.app.footer("Example:\n  skerry admin -a localhost:6651 dataserver delete four");
  take_name(deleting);
  deleting.runs(chosen, shared, remove);
}

}  // namespace skerry::node
