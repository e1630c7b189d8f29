// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>
#include <optional>

#include "node/cli_admin_words.hpp"
#include "node/cli_call.hpp"
#include "node/cli_cluster_output.hpp"
#include "node/cli_document.hpp"
#include "node/cli_number.hpp"
#include "oxia/admin.pb.h"
#include "runtime/core.hpp"
#include "skerry/control/v1/admin.pb.h"

// Below `admin`: shard, leader, node, cluster.
namespace skerry::node {
namespace {

namespace json = boost::json;
namespace v1 = control::v1;
namespace pb = io::oxia::proto::v1;

struct ClusterFlags {
  std::string name_space, node, from, to;
  std::int64_t shard = 0, left = 0, right = 0;
  std::optional<std::uint32_t> split_point;
  bool wait = false;
};
using ClusterWord = AdminWord<ClusterFlags>;

constexpr auto wait_pause = 300ms;

std::string cluster_method(std::string_view name) { return fmt::format("/skerry.control.v1.Admin/{}", name); }

Result<v1::Cluster> read_cluster(const AdminFlags& flags) {
  v1::Cluster cluster;
  TRYV(ask_server(flags, cluster_method("GetCluster"), v1::GetClusterRequest(), cluster));
  return cluster;
}

template <class... Arguments>
int show(const AdminFlags& flags, std::string (*text)(const v1::Cluster&, AdminFormat, Arguments...), Arguments... arguments) {
  const auto cluster = read_cluster(flags);
  return cluster ? print_admin(text(*cluster, flags.format, arguments...)) : report(cluster.error());
}

// What is done is told to people on stderr, with `names` as what there is to print; to programs as one document.
struct Deed {
  std::string what, names = {};
  json::object document;
};
int told(const AdminFlags& flags, const Result<>& done, const Deed& deed) {
  if (!done) return report(done.error());
  if (flags.format == AdminFormat::json || flags.format == AdminFormat::yaml) {
    return print_admin(document_text(deed.document, flags.format));
  }
  fmt::print(stderr, "{}\n", deed.what);
  return print_admin(deed.names);
}

int status(const AdminFlags& flags, const ClusterFlags&) { return show(flags, cluster_text); }
int list_nodes(const AdminFlags& flags, const ClusterFlags&) { return show(flags, nodes_text); }
int list_shards(const AdminFlags& flags, const ClusterFlags& own) {
  return show<const std::string&>(flags, shards_text, own.name_space);
}

void pause() {
  const SystemClock clock;
  Core core(CoreId{0}, clock, Random::system_seed());
  for (const TimePoint until = core.now() + wait_pause; core.now() < until;) {
    if (!core.run_turn()) core.wait(until);   // one that has just run does not wait
  }
}

// Until the node is empty; tells what it waits for whenever that changes.
Result<> wait_drained(const AdminFlags& flags, const std::string& name) {
  for (std::string told_before;;) {
    TRY(const v1::Cluster cluster, read_cluster(flags));
    const v1::ClusterNode* node = find_node(cluster, name);
    if (node == nullptr || node->why_not_drained().empty()) return {};
    if (node->why_not_drained() != told_before) fmt::print(stderr, "{}: {}\n", name, node->why_not_drained());
    told_before = node->why_not_drained();
    pause();
  }
}

int drain(const AdminFlags& flags, const ClusterFlags& own) {
  v1::DrainNodeRequest request;
  request.set_node(own.node);
  v1::DrainNodeResponse reply;
  if (const Result<> done = change_server(flags, cluster_method("DrainNode"), request, reply); !done) return report(done.error());
  if (!own.wait) {
    return told(flags, {},
                {.what = fmt::format("{} is being drained; `skerry admin node list` tells how far it is.", own.node),
                 .document = {{"node", own.node}, {"draining", true}, {"empty", false}}});
  }
  return told(
      flags, wait_drained(flags, own.node),
      {.what = fmt::format("{} is empty.", own.node), .document = {{"node", own.node}, {"draining", true}, {"empty", true}}});
}

int undrain(const AdminFlags& flags, const ClusterFlags& own) {
  v1::UndrainNodeRequest request;
  request.set_node(own.node);
  v1::UndrainNodeResponse reply;
  return told(flags, change_server(flags, cluster_method("UndrainNode"), request, reply),
              {.what = fmt::format("{} takes replicas again.", own.node), .document = {{"node", own.node}, {"draining", false}}});
}

int move_replica(const AdminFlags& flags, const ClusterFlags& own) {
  v1::MoveReplicaRequest request;
  request.set_shard(own.shard);
  request.set_from(own.from);
  request.set_to(own.to);
  v1::MoveReplicaResponse reply;
  return told(flags, change_server(flags, cluster_method("MoveReplica"), request, reply),
              {.what = fmt::format("The replica of shard {} moves from {} to {}; `skerry admin shard list` tells how far it is.",
                                   own.shard, own.from, own.to),
               .document = {{"shard", own.shard}, {"from", own.from}, {"to", own.to}}});
}

int move_leader(const AdminFlags& flags, const ClusterFlags& own) {
  v1::TransferLeaderRequest request;
  request.set_shard(own.shard);
  request.set_to(own.to);
  v1::TransferLeaderResponse reply;
  return told(
      flags, change_server(flags, cluster_method("TransferLeader"), request, reply),
      {.what = fmt::format("{} is to lead shard {}.", own.to, own.shard), .document = {{"shard", own.shard}, {"to", own.to}}});
}

int split(const AdminFlags& flags, const ClusterFlags& own) {
  pb::SplitShardRequest request;
  request.set_namespace_(own.name_space);
  request.set_shard(own.shard);
  if (own.split_point) request.set_split_point(*own.split_point);
  pb::SplitShardResponse reply;
  const Result<> done = change_server(flags, oxia_admin_method("SplitShard"), request, reply);
  const std::int64_t left = reply.left_child_shard(), right = reply.right_child_shard();
  return told(
      flags, done,
      {.what = fmt::format("Shard {} is being split into these two, and goes on until they are ready; `skerry admin shard list` "
                           "tells how far it is.",
                           own.shard),
       .names = fmt::format("{}\n{}\n", left, right),
       .document = {{"shard", own.shard}, {"children", json::array{left, right}}}});
}

int merge(const AdminFlags& flags, const ClusterFlags& own) {
  v1::MergeShardsRequest request;
  request.set_namespace_(own.name_space);
  request.set_left(own.left);
  request.set_right(own.right);
  v1::MergeShardsResponse reply;
  const Result<> done = change_server(flags, cluster_method("MergeShards"), request, reply);
  return told(
      flags, done,
      {.what = fmt::format("Shards {} and {} are being merged into this one, and go on until it is ready; `skerry admin shard "
                           "list` tells how far it is.",
                           own.left, own.right),
       .names = fmt::format("{}\n", reply.shard()),
       .document = {{"parents", json::array{own.left, own.right}}, {"shard", reply.shard()}}});
}

int cancel(const AdminFlags& flags, const ClusterFlags& own) {
  v1::CancelReshapeRequest request;
  request.set_shard(own.shard);
  v1::CancelReshapeResponse reply;
  return told(flags, change_server(flags, cluster_method("CancelReshape"), request, reply),
              {.what = fmt::format("What shard {} was to become is given up; what was there before goes on.", own.shard),
               .names = fmt::format("{}\n", own.shard),
               .document = {{"shard", own.shard}}});
}

void add_shard_words(CLI::App& admin, Command& chosen, const std::shared_ptr<const AdminFlags>& shared) {
  CLI::App& shards = add_admin_group(admin, "shard", "List shards, move their replicas, split and merge them");
  ClusterWord listing(shards, "list", "List the shards: who leads, who follows how far behind, what they wait for");
  listing.app.add_option("-n,--namespace", listing.flags->name_space, "Of this namespace alone");
  listing.runs(chosen, shared, list_shards);

  ClusterWord moving(shards, "move", "Move a replica from one node to another");
  moving.app.footer(
      "The new one catches up before it votes, and votes before the former stops: writes go on.\n"
      "Example:\n  skerry admin -a localhost:6651 shard move 7 --from two --to four");
  moving.app.add_option("SHARD", moving.flags->shard, "Its number")->required()->transform(whole_number<std::int64_t>(0));
  moving.app.add_option("--from", moving.flags->from, "The node that it leaves, by name or number")->required();
  moving.app.add_option("--to", moving.flags->to, "The node that it comes to")->required();
  moving.runs(chosen, shared, move_replica);

  ClusterWord splitting(shards, "split", "Make two shards of one");
  splitting.app.footer(
      "Returns when the wish is stored. Clients see a pause of writes at the end, and go on with the two.\n"
      "Example:\n  skerry admin -a localhost:6651 shard split --namespace logs --shard 7");
  splitting.app.add_option("-n,--namespace", splitting.flags->name_space, "Its namespace")->required();
  splitting.app.add_option("--shard", splitting.flags->shard, "Its number")->required()->transform(whole_number<std::int64_t>(0));
  splitting.app.add_option("--split-point", splitting.flags->split_point, "First hash of the second; the middle without it")
      ->transform(whole_number<std::uint32_t>());
  splitting.runs(chosen, shared, split);

  ClusterWord merging(shards, "merge", "Make one shard of two neighbours");
  merging.app.footer(
      "Returns when the wish is stored. The replicas of the right one first move to the nodes of the left one.\n"
      "Example:\n  skerry admin -a localhost:6651 shard merge --namespace logs --left 8 --right 9");
  merging.app.add_option("-n,--namespace", merging.flags->name_space, "Their namespace")->required();
  merging.app.add_option("--left", merging.flags->left, "The one with the lower hashes")
      ->required()
      ->transform(whole_number<std::int64_t>(0));
  merging.app.add_option("--right", merging.flags->right, "The one that follows it")
      ->required()
      ->transform(whole_number<std::int64_t>(0));
  merging.runs(chosen, shared, merge);

  ClusterWord cancelling(shards, "cancel", "Stop a split or merge that is under way");
  cancelling.app.footer(
      "The shards that were there before go on, with all that was written. Refused once the new ones get their leaders: then it\n"
      "ends by itself in a moment.\n"
      "Example:\n  skerry admin -a localhost:6651 shard cancel 7");
  cancelling.app.add_option("SHARD", cancelling.flags->shard, "The number of one that is part of it")->required();
  cancelling.runs(chosen, shared, cancel);
}

void add_node_words(CLI::App& admin, Command& chosen, const std::shared_ptr<const AdminFlags>& shared) {
  CLI::App& nodes = add_admin_group(admin, "node", "List the nodes of a cluster, empty them and fill them again");
  ClusterWord(nodes, "list", "List the nodes: how they are and what they hold").runs(chosen, shared, list_nodes);

  ClusterWord draining(nodes, "drain", "Move all replicas to other nodes, before maintenance");
  draining.app.footer(
      "Leaders go first, then replicas, a few at a time; writes go on. What holds it up stands in `node list`.\n"
      "Example:\n  skerry admin -a localhost:6651 node drain two --wait && echo switch it off");
  draining.app.add_option("NODE", draining.flags->node, "By name or number")->required();
  draining.app.add_flag("--wait", draining.flags->wait, "End when it is empty");
  draining.runs(chosen, shared, drain);

  ClusterWord undraining(nodes, "undrain", "Let a node take replicas again");
  undraining.app.add_option("NODE", undraining.flags->node, "By name or number")->required();
  undraining.runs(chosen, shared, undrain);
}

}  // namespace

void add_cluster_words(CLI::App& admin, Command& chosen, const std::shared_ptr<const AdminFlags>& shared) {
  CLI::App& cluster = add_admin_group(admin, "cluster", "The cluster as a whole");
  ClusterWord(cluster, "status", "Show nodes, namespaces, and what does not stand as it should").runs(chosen, shared, status);
  add_node_words(admin, chosen, shared);
  add_shard_words(admin, chosen, shared);
  CLI::App& leaders = add_admin_group(admin, "leader", "Who leads a shard");
  ClusterWord moving(leaders, "move", "Give a shard's lead to another of its replicas");
  moving.app.footer("Example:\n  skerry admin -a localhost:6651 leader move 7 --to three");
  moving.app.add_option("SHARD", moving.flags->shard, "Its number")->required()->transform(whole_number<std::int64_t>(0));
  moving.app.add_option("--to", moving.flags->to, "The node, by name or number; it must have a vote")->required();
  moving.runs(chosen, shared, move_leader);
}

}  // namespace skerry::node
