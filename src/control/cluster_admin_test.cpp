// SPDX-License-Identifier: Apache-2.0
#include "control/cluster_admin.hpp"

#include <gtest/gtest.h>

#include "base/limits.hpp"
#include "control/admin_service.hpp"
#include "control/cluster_backup.hpp"
#include "control/metadata_memory.hpp"
#include "control/node_messages.hpp"
#include "net/testing/memory_network.hpp"
#include "net/testing/world.hpp"
#include "rpc/channel.hpp"
#include "rpc/server.hpp"
#include "runtime/event.hpp"
#include "runtime/log.hpp"

namespace skerry::control {
namespace {

namespace pb = io::oxia::proto::v1;

// A coordinator without servers that answer, its two admin services, and a client of them; time passes by hand.
struct AdminTest : testing::Test {
  AdminTest() {
    service.register_in(methods);
    admin.register_in(methods);
    backup.register_in(methods);
    server = rpc::Server::make(world.core, network, methods, {});
    channel = rpc::Channel::make(world.core, client_side, address, {});
    EXPECT_TRUE(server->start(address));
  }
  ~AdminTest() override {
    world.tasks.spawn(end());
    world.advance(30s);
  }
  Task<> end() {
    co_await channel->stop();
    co_await server->stop(world.core.now());
    co_await backup.stop();
    for (const auto& node : nodes) co_await node->stop(world.core.now());
    co_await coordinator.stop();
  }

  void take_office() {
    ClusterConfig config;
    config.namespaces = {{.name = "default", .shards = 2, .replicas = 3}};
    for (const char* name : {"one", "two", "three"}) {
      config.servers.push_back(
          {.name = name, .public_address = std::string(name) + ":1", .internal_address = std::string(name) + ":2"});
    }
    coordinator.start();
    world.advance(100ms);
    ASSERT_TRUE(coordinator.configure(std::move(config)));
    world.advance(100ms);
    ASSERT_NE(coordinator.in_office(), nullptr);
  }

  // As CoordinatorRole does, without a file.
  Task<Result<>> change_config(ConfigEdit edit) {
    ClusterConfig config = *coordinator.in_office()->config();
    CO_TRYV(edit(config));
    CO_TRY(const CommitNumber number, coordinator.configure(std::move(config)));
    co_return co_await coordinator.wait_stored(number);
  }

  template <class Request, class Reply>
  static Task<> call(rpc::Channel& channel, std::string method, const Request& request, Reply& reply, Deadline deadline,
                     std::optional<rpc::Status>& status) {
    status = co_await channel.unary(std::move(method), request, reply, {deadline, {}});
  }
  template <class Request, class Reply>
  rpc::Status ask(std::string method, const Request& request, Reply& reply) {
    std::optional<rpc::Status> status;
    world.tasks.spawn(call(*channel, std::move(method), request, reply, world.core.now() + 20s, status));
    for (int n = 0; n < 100 && !status; ++n) world.advance(50ms);
    return status.value_or(rpc::Status{rpc::Code::unknown, "no answer", {}});
  }
  template <class Reply, class Request>
  rpc::Status oxia(const std::string& method, const Request& request, Reply& reply) {
    return ask("/io.oxia.proto.v1.OxiaAdmin/" + method, request, reply);
  }
  template <class Reply, class Request>
  rpc::Status ours(const std::string& method, const Request& request) {
    Reply reply;
    return ask("/skerry.control.v1.Admin/" + method, request, reply);
  }

  rpc::Status create(const std::string& name, std::uint32_t shards, std::uint32_t replicas,
                     const std::string& sorting = "natural") {
    pb::CreateNamespaceRequest request;
    request.mutable_namespace_()->set_name(name);
    request.mutable_namespace_()->set_initial_shard_count(shards);
    request.mutable_namespace_()->set_replication_factor(replicas);
    request.mutable_namespace_()->set_key_sorting(sorting);
    return oxia("CreateNamespace", request, created);
  }
  rpc::Status create_server(const std::string& name, const std::string& internal) {
    pb::CreateDataServerRequest request;
    request.mutable_data_server()->mutable_identity()->set_name(name);
    request.mutable_data_server()->mutable_identity()->set_public_(name + ":1");
    request.mutable_data_server()->mutable_identity()->set_internal(internal);
    (*request.mutable_data_server()->mutable_metadata()->mutable_labels())["rack"] = "a";
    pb::CreateDataServerResponse reply;
    return oxia("CreateDataServer", request, reply);
  }
  const ClusterConfig& config() { return *coordinator.in_office()->config(); }

  // --- backups
  Task<> back_up(std::optional<rpc::Status>& ended) {
    auto call = co_await channel->open("/skerry.admin.v1.Backup/Backup", {no_deadline, {}});
    admin::v1::BackupRequest request;
    request.set_namespace_("default");
    static_cast<void>(co_await (*call)->write(request));
    static_cast<void>(co_await (*call)->finish_writing());
    admin::v1::BackupPart part;
    while ((co_await (*call)->read(part)).value_or(false)) {}
    ended = co_await (*call)->finish();
  }
  // Servers that take whatever replica they are to make, and are never done.
  void start_nodes() {
    node_methods.client_stream<v1::MakeReplicaRequest, v1::MakeReplicaReply>(
        node_method("MakeReplica"),
        [this](rpc::ServerCall&, rpc::Requests<v1::MakeReplicaRequest>& requests, v1::MakeReplicaReply&) -> Task<rpc::Status> {
          v1::MakeReplicaRequest request;
          while ((co_await requests.next(request)).value_or(false)) blocks_taken += request.has_block() ? 1 : 0;
          co_return rpc::Status(rpc::Code::data_loss, "the state ends early", {});
        });
    for (const char* name : {"one", "two", "three"}) {
      node_networks.push_back(std::make_unique<net::testing::MemoryNetwork>(world.core, fabric, name));
      nodes.push_back(rpc::Server::make(world.core, *node_networks.back(), node_methods, {}));
      ASSERT_TRUE(nodes.back()->start({name, 2}));
    }
  }
  static admin::v1::RestoreRequest wish() {
    admin::v1::RestoreRequest request;
    request.mutable_wish()->set_namespace_("copy");
    auto& manifest = *request.mutable_wish()->mutable_manifest();
    manifest.set_namespace_("default");
    manifest.set_key_sorting("natural");
    manifest.add_shards()->set_hash_max(UINT32_MAX);
    return request;
  }
  // The wish and one block, which is not the last.
  Task<> restore(Event& more, std::optional<rpc::Status>& ended) {
    auto call = co_await channel->open("/skerry.admin.v1.Backup/Restore", {no_deadline, {}});
    static_cast<void>(co_await (*call)->write(wish()));
    admin::v1::RestoreRequest request;
    const Bytes head = store::encode_head({.shard = ShardId(0), .term = Term(1), .offset = Offset(1)});
    request.set_block(store::encode_block({store::BlockKind::head, 0, head}, 0));
    static_cast<void>(co_await (*call)->write(request));
    co_await more.wait();
    static_cast<void>(co_await (*call)->write(request));
    static_cast<void>(co_await (*call)->finish_writing());
    admin::v1::RestoreResponse reply;
    static_cast<void>(co_await (*call)->read(reply));
    ended = co_await (*call)->finish();
  }

  net::testing::ManualWorld world;
  net::testing::MemoryFabric fabric;
  net::testing::MemoryNetwork network{world.core, fabric, "coordinator"}, client_side{world.core, fabric, "client"};
  const net::Address address{"coordinator", 6651};
  MetadataShared shared{world.core};
  MetadataMemory metadata{world.core, shared, "coordinator:6651"}, rival{world.core, shared, "rival:6651"};
  LogRegistry log{world.clock, {}};
  Coordinator coordinator{{.core = world.core,
                           .network = network,
                           .metadata = metadata,
                           .logger = log.logger("coordinator"),
                           .give_up = [](Error why) { ADD_FAILURE() << why.message(); }}};
  AdminOffice office{world.core, coordinator, std::bind_front(&AdminTest::change_config, this)};
  AdminService service{office};
  ClusterAdmin admin{office};
  ClusterBackup backup{office, network};
  rpc::Methods methods, node_methods;
  std::vector<std::unique_ptr<rpc::Server>> nodes;
  std::vector<std::unique_ptr<net::testing::MemoryNetwork>> node_networks;
  int blocks_taken = 0;   // by nodes
  std::unique_ptr<rpc::Server> server;
  std::unique_ptr<rpc::Channel> channel;
  pb::CreateNamespaceResponse created;
};

Task<> hold_office(Metadata& metadata) { static_cast<void>(co_await metadata.take_office()); }

TEST_F(AdminTest, a_change_that_an_end_of_office_overtakes_has_an_unknown_outcome) {
  take_office();
  shared.fail_commits = 1;
  EXPECT_EQ(create("logs", 4, 1).code, rpc::Code::deadline_exceeded);
}

TEST_F(AdminTest, a_backup_waits_half_a_minute_for_a_shard_that_nobody_leads) {
  take_office();
  world.advance(5s);   // until it is placed without servers that were never heard
  std::optional<rpc::Status> ended;
  world.tasks.spawn(back_up(ended));
  world.advance(limits::backup_patience - 1s);
  EXPECT_FALSE(ended);
  world.advance(2s);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->code, rpc::Code::unavailable);
  EXPECT_NE(ended->message.find("nobody serves shard 0: "), std::string::npos) << ended->message;
}

TEST_F(AdminTest, a_restore_ends_with_the_term_of_office_in_which_it_has_begun) {
  start_nodes();
  take_office();
  Event more(world.core);
  std::optional<rpc::Status> first;
  world.tasks.spawn(restore(more, first));
  world.advance(1s);
  ASSERT_EQ(coordinator.in_office()->status().restores.size(), 1U);
  EXPECT_EQ(blocks_taken, 1);
  const std::int64_t epoch = coordinator.epoch();
  shared.fail_commits = 1;
  EXPECT_EQ(create("logs", 4, 1).code, rpc::Code::deadline_exceeded);
  world.advance(1s);
  ASSERT_NE(coordinator.in_office(), nullptr);
  EXPECT_GT(coordinator.epoch(), epoch);
  EXPECT_TRUE(coordinator.in_office()->status().restores.empty());
  // What is still on its way of it reaches no node.
  more.set();
  world.advance(1s);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->code, rpc::Code::unavailable);
  EXPECT_NE(first->message.find("another term of office"), std::string::npos) << first->message;
  EXPECT_EQ(blocks_taken, 1);
}

TEST_F(AdminTest, out_of_office_names_who_is_in_it) {
  world.tasks.spawn(hold_office(rival));
  world.settle();
  coordinator.start();
  world.advance(100ms);
  v1::Cluster cluster;
  const auto status = ask("/skerry.control.v1.Admin/GetCluster", v1::GetClusterRequest(), cluster);
  EXPECT_EQ(status.code, rpc::Code::unavailable);
  EXPECT_NE(status.message.find("rival:6651"), std::string::npos) << status.message;
  ASSERT_TRUE(status.info());
  EXPECT_EQ(status.info()->reason, "NOT_IN_OFFICE");
  EXPECT_EQ(status.info()->metadata.at("coordinator"), "rival:6651");
  pb::ListDataServersResponse servers;
  EXPECT_EQ(oxia("ListDataServers", pb::ListDataServersRequest(), servers).code, rpc::Code::unavailable);
  EXPECT_EQ(create("logs", 1, 1).code, rpc::Code::unavailable);
}

TEST_F(AdminTest, tells_the_epoch_and_who_is_in_office) {
  take_office();
  v1::Cluster cluster;
  ASSERT_TRUE(ask("/skerry.control.v1.Admin/GetCluster", v1::GetClusterRequest(), cluster).ok());
  EXPECT_EQ(cluster.epoch(), 1);
  EXPECT_EQ(cluster.coordinator(), "coordinator:6651");
  EXPECT_EQ(cluster.nodes_size(), 3);
}

TEST_F(AdminTest, what_was_made_is_in_the_configuration_of_the_next_term_of_office_and_known_out_of_it) {
  take_office();
  ASSERT_TRUE(create("logs", 4, 0).ok());
  world.tasks.spawn(hold_office(rival));
  metadata.oust();
  world.advance(100ms);
  ASSERT_EQ(coordinator.in_office(), nullptr);
  ASSERT_TRUE(coordinator.configuration());
  EXPECT_NE(coordinator.configuration()->config.find_namespace("logs"), nullptr);
  rival.oust();
  world.advance(100ms);
  ASSERT_NE(coordinator.in_office(), nullptr);
  EXPECT_NE(config().find_namespace("logs"), nullptr);
}

TEST_F(AdminTest, a_namespace_is_in_the_configuration_when_its_creation_is_answered) {
  take_office();
  ASSERT_TRUE(create("logs", 4, 0).ok());
  const NamespaceConfig* logs = config().find_namespace("logs");
  ASSERT_NE(logs, nullptr);
  EXPECT_EQ(logs->shards, 4u);
  EXPECT_EQ(logs->replicas, 3u);   // as many as there are servers, three at most
  EXPECT_EQ(logs->order, store::KeyOrder::natural);
  EXPECT_EQ(created.namespace_().namespace_().replication_factor(), 3u);
  EXPECT_EQ(create("logs", 4, 1).code, rpc::Code::already_exists);
  EXPECT_EQ(create("x", 4, 9).code, rpc::Code::invalid_argument);
  EXPECT_EQ(create("x", 4, 1, "").code, rpc::Code::invalid_argument);
  EXPECT_EQ(create("../x", 4, 1).code, rpc::Code::invalid_argument);
}

TEST_F(AdminTest, a_namespace_can_be_patched_and_deleted) {
  take_office();
  ASSERT_TRUE(create("logs", 1, 3).ok());
  pb::PatchNamespaceRequest patch;
  patch.mutable_namespace_()->set_name("logs");
  patch.mutable_namespace_()->set_replication_factor(2);
  patch.mutable_namespace_()->set_notifications_enabled(false);
  pb::PatchNamespaceResponse patched;
  ASSERT_TRUE(oxia("PatchNamespace", patch, patched).ok());
  EXPECT_EQ(config().find_namespace("logs")->replicas, 2u);
  EXPECT_FALSE(patched.namespace_().namespace_().notifications_enabled());
  patch.mutable_namespace_()->set_initial_shard_count(9);
  EXPECT_EQ(oxia("PatchNamespace", patch, patched).code, rpc::Code::invalid_argument);
  pb::DeleteNamespaceRequest remove;
  remove.set_namespace_("logs");
  pb::DeleteNamespaceResponse removed;
  ASSERT_TRUE(oxia("DeleteNamespace", remove, removed).ok());
  EXPECT_EQ(config().find_namespace("logs"), nullptr);
  EXPECT_EQ(oxia("DeleteNamespace", remove, removed).code, rpc::Code::not_found);
}

TEST_F(AdminTest, servers_come_change_and_go_by_their_names) {
  take_office();
  EXPECT_EQ(create_server("four", "nonsense").code, rpc::Code::invalid_argument);
  ASSERT_TRUE(create_server("four", "four:2").ok());
  EXPECT_EQ(create_server("four", "other:2").code, rpc::Code::already_exists);
  pb::PatchDataServerRequest patch;
  patch.mutable_data_server()->mutable_identity()->set_name("four");
  patch.mutable_data_server()->mutable_identity()->set_internal("moved:2");
  pb::PatchDataServerResponse patched;
  ASSERT_TRUE(oxia("PatchDataServer", patch, patched).ok());
  EXPECT_EQ(patched.data_server().data_server().identity().internal(), "moved:2");
  EXPECT_EQ(patched.data_server().data_server().identity().public_(), "four:1");
  EXPECT_EQ(patched.data_server().data_server().metadata().labels().at("rack"), "a");   // not given: stays
  pb::ListDataServersResponse all;
  ASSERT_TRUE(oxia("ListDataServers", pb::ListDataServersRequest(), all).ok());
  ASSERT_EQ(all.data_servers_size(), 4);
  EXPECT_EQ(all.data_servers(3).data_server_status().state(), pb::DATA_SERVER_STATE_UNAVAILABLE);
  pb::DeleteDataServerRequest remove;
  pb::DeleteDataServerResponse removed;
  remove.set_data_server("four");
  EXPECT_TRUE(oxia("DeleteDataServer", remove, removed).ok());
  EXPECT_EQ(oxia("DeleteDataServer", remove, removed).code, rpc::Code::not_found);
  remove.set_data_server("three");   // the namespace wants three
  EXPECT_EQ(oxia("DeleteDataServer", remove, removed).code, rpc::Code::failed_precondition);
}

TEST_F(AdminTest, wishes_that_name_nobody_are_not_found) {
  take_office();
  v1::DrainNodeRequest drain;
  drain.set_node("too");
  const auto status = ours<v1::DrainNodeResponse>("DrainNode", drain);
  EXPECT_EQ(status.code, rpc::Code::not_found);
  EXPECT_NE(status.message.find("did you mean two?"), std::string::npos) << status.message;
  v1::TransferLeaderRequest transfer;
  transfer.set_shard(77);
  transfer.set_to("two");
  EXPECT_EQ(ours<v1::TransferLeaderResponse>("TransferLeader", transfer).code, rpc::Code::not_found);
  v1::MoveReplicaRequest move;
  move.set_shard(77);
  move.set_from("1");
  move.set_to("two");
  EXPECT_EQ(ours<v1::MoveReplicaResponse>("MoveReplica", move).code, rpc::Code::not_found);
}

TEST_F(AdminTest, shards_that_are_not_there_are_neither_split_nor_merged) {
  take_office();
  pb::SplitShardRequest split;
  split.set_namespace_("default");
  split.set_shard(77);
  pb::SplitShardResponse children;
  const auto unsplit = oxia("SplitShard", split, children);
  EXPECT_EQ(unsplit.code, rpc::Code::not_found);
  EXPECT_NE(unsplit.message.find("no shard 77"), std::string::npos) << unsplit.message;
  v1::MergeShardsRequest merge;
  merge.set_namespace_("default");
  merge.set_left(77);
  merge.set_right(78);
  EXPECT_EQ(ours<v1::MergeShardsResponse>("MergeShards", merge).code, rpc::Code::not_found);
  v1::CancelReshapeRequest cancel;
  cancel.set_shard(77);
  EXPECT_EQ(ours<v1::CancelReshapeResponse>("CancelReshape", cancel).code, rpc::Code::not_found);
}

Task<> watch(rpc::Channel& channel, Deadline deadline, std::vector<v1::Cluster>& seen, std::optional<rpc::Status>& ended) {
  const auto call = co_await channel.open("/skerry.control.v1.Admin/WatchCluster", {deadline, {}});
  EXPECT_TRUE(call);
  EXPECT_TRUE(co_await (*call)->write(v1::WatchClusterRequest()));
  EXPECT_TRUE(co_await (*call)->finish_writing());
  for (v1::Cluster cluster; (co_await (*call)->read(cluster)).value_or(false);) seen.push_back(cluster);
  ended = co_await (*call)->finish();
}

TEST_F(AdminTest, watchers_hear_of_changes_before_the_second_is_over_and_of_the_end_of_the_office) {
  take_office();
  std::vector<v1::Cluster> seen;
  std::optional<rpc::Status> ended;
  world.tasks.spawn(watch(*channel, world.core.now() + 60s, seen, ended));
  world.advance(100ms);
  ASSERT_EQ(seen.size(), 1u);
  world.advance(1s);
  EXPECT_EQ(seen.size(), 2u);   // nothing has changed
  ASSERT_TRUE(create_server("four", "four:2").ok());
  world.advance(200ms);
  EXPECT_EQ(seen.back().nodes_size(), 4);
  EXPECT_FALSE(ended);
  world.tasks.spawn(hold_office(rival));
  metadata.oust();
  world.advance(2s);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->code, rpc::Code::unavailable);
}

}  // namespace
}  // namespace skerry::control
