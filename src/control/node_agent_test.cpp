// SPDX-License-Identifier: Apache-2.0
#include "control/node_agent.hpp"

#include <fmt/format.h>
#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include "base/limits.hpp"
#include "control/node_messages.hpp"
#include "disk/testing/simulated_disk.hpp"
#include "net/testing/memory_network.hpp"
#include "net/testing/world.hpp"
#include "rpc/channel.hpp"
#include "rpc/server.hpp"
#include "store/memory_engine.hpp"
#include "store/operations.hpp"

namespace skerry::control {
namespace {

constexpr ShardId held{7};

// A node on a simulated disk, and who calls it as a coordinator does; time passes by hand.
struct NodeAgentTest : testing::Test, private NodeListener {
  NodeAgentTest() {
    world.run(open());
    channel = rpc::Channel::make(world.core, client_side, address, {});
  }
  ~NodeAgentTest() override { world.run(end()); }

  Task<> open() {
    EXPECT_TRUE(disk.make_folders("/node-0"));
    record = *co_await NodeRecord::open(world.core, disk, "/node-0/cluster-node", "/node-0/log");
    EXPECT_TRUE(disk.make_folders("/node-0/log"));
    log = *co_await disk::Log::open(world.core, disk, "/node-0/log", {.segment_bytes = 1 << 20, .spare_segments_max = 1});
    engine = *co_await store::MemoryEngine::open(world.core, disk, "/node-0/engine");
    group = std::make_unique<replica::ShardGroup>(world.core, *log, *engine, replica::ShardGroupOptions{});
    leases.emplace(replica::Incarnation(1), world.core.clock().now());
    links = std::make_unique<replica::NodeLinks>(world.core, network, *group, *leases);
    agent = std::make_unique<NodeAgent>(NodeAgent::Parts{.core = world.core,
                                                         .log = *log,
                                                         .group = *group,
                                                         .leases = *leases,
                                                         .links = *links,
                                                         .record = *record,
                                                         .listener = *this,
                                                         .logger = logs.logger("node"),
                                                         .pool = "pool",
                                                         .version = "tested",
                                                         .kept_aside = {},
                                                         .shard_options = {}});
    agent->register_in(methods);
    server = rpc::Server::make(world.core, network, methods, {});
    EXPECT_TRUE(server->start(address));
    co_await agent->start();
  }
  Task<> end() {
    co_await channel->stop();
    co_await server->stop(world.core.now());
    co_await agent->stop();
    co_await links->stop();
    static_cast<void>(co_await group->stop());
    static_cast<void>(co_await log->stop());
  }

  // --- the standing call
  static v1::Order hello(std::uint32_t node) {
    v1::Order order;
    order.mutable_hello()->set_instance("reef");
    order.mutable_hello()->set_node(node);
    order.mutable_hello()->set_name("one");
    order.mutable_hello()->set_bind(true);
    return order;
  }
  static v1::Order nodes() {
    v1::Order order;
    order.mutable_nodes()->mutable_revision()->set_number(1);
    for (const std::uint32_t node : {1U, 2U}) {
      auto& each = *order.mutable_nodes()->add_nodes();
      each.set_node(node);
      each.set_internal(fmt::format("host-{}:1", node));
    }
    return order;
  }
  struct Attended {
    std::vector<v1::Report> reports;
    std::optional<rpc::Status> ended;
  };
  Task<> attend(std::vector<v1::Order> orders, Attended& attended) {
    auto call = co_await channel->open(node_method("Attend"), {no_deadline, {}});
    for (const v1::Order& order : orders) {
      if (!co_await (*call)->write(order)) break;
      v1::Report report;
      if (!(co_await (*call)->read(report)).value_or(false)) break;
      attended.reports.push_back(report);
    }
    static_cast<void>(co_await (*call)->finish_writing());
    v1::Report rest;
    while ((co_await (*call)->read(rest)).value_or(false)) {}
    attended.ended = co_await (*call)->finish();
  }

  // --- what is asked beside it
  rpc::CallOptions options(Duration patience, const std::string& epoch = "1") {
    rpc::CallOptions options{.deadline = world.core.now() + patience};
    options.metadata.add(instance_header, "reef");
    options.metadata.add(to_header, "1");
    if (!epoch.empty()) options.metadata.add(epoch_header, epoch);
    return options;
  }
  template <class Request, class Reply>
  Task<> ask(std::string method, Request request, Reply& reply, Duration patience, std::optional<rpc::Status>& status,
             std::string epoch = "1") {
    status = co_await channel->unary(node_method(method), request, reply, options(patience, epoch));
  }
  Task<> read_state(ShardId shard, std::vector<Bytes>& blocks, std::optional<rpc::Status>& status) {
    auto call = co_await channel->open(node_method("ReadState"), options(10s));
    v1::ReadStateRequest request;
    request.set_shard(shard.value());
    static_cast<void>(co_await (*call)->write(request));
    static_cast<void>(co_await (*call)->finish_writing());
    v1::ReadStateReply reply;
    while ((co_await (*call)->read(reply)).value_or(false)) blocks.push_back(reply.block());
    status = co_await (*call)->finish();
  }
  Task<> make_replica(ShardId shard, std::vector<Bytes> blocks, v1::MakeReplicaReply& reply, std::optional<rpc::Status>& status) {
    auto call = co_await channel->open(node_method("MakeReplica"), options(10s));
    v1::MakeReplicaRequest request;
    request.mutable_replica()->set_shard(shard.value());
    bool taken = (co_await (*call)->write(request)).has_value();
    for (auto block = blocks.begin(); taken && block != blocks.end(); ++block) {
      request.set_block(*block);
      taken = (co_await (*call)->write(request)).has_value();
    }
    if (taken) static_cast<void>(co_await (*call)->finish_writing());
    static_cast<void>(co_await (*call)->read(reply));
    status = co_await (*call)->finish();
  }
  // A shard with this one voter, led here.
  Task<> lead() {
    Attended attended;
    co_await attend({hello(1)}, attended);
    v1::NewTermRequest fence;
    fence.set_shard(held.value());
    fence.set_namespace_("default");
    fence.set_term(1);
    v1::NewTermReply fenced;
    std::optional<rpc::Status> status;
    co_await ask("NewTerm", fence, fenced, 10s, status);
    EXPECT_TRUE(status->ok()) << status->message;
    replica::BecomeLeader lead{.term = Term(1), .membership = {}};
    lead.membership.version = MembershipVersion(1);
    lead.membership.voters = {NodeId(1)};
    v1::BecomeLeaderReply led;
    co_await ask("BecomeLeader", write(held, lead), led, 10s, status);
    EXPECT_TRUE(status->ok()) << status->message;
  }
  Task<> erase(Duration patience, std::optional<rpc::Status>& status) {
    v1::DeleteReplicaRequest request;
    request.set_shard(held.value());
    request.set_term(1);
    v1::DeleteReplicaReply reply;
    co_await ask("DeleteReplica", request, reply, patience, status);
  }

  void on_assignments(const v1::Assignments&) override {}
  void on_opened(const std::string&, replica::Shard&) override {}
  void on_closing(ShardId) override {}
  v1::Usage usage() override { return {}; }
  void on_given_up() override {}

  net::testing::ManualWorld world;
  disk::SimulatedDiskState platters;
  disk::SimulatedDisk disk{world.core, platters};
  net::testing::MemoryFabric fabric;
  net::testing::MemoryNetwork network{world.core, fabric, "node"}, client_side{world.core, fabric, "coordinator"};
  const net::Address address{"node", 6649};
  LogRegistry logs{world.clock, {.levels = {.others = LogLevel::off, .modules = {}}, .background = false}};
  std::unique_ptr<NodeRecord> record;
  std::unique_ptr<disk::Log> log;
  std::unique_ptr<store::MemoryEngine> engine;
  std::unique_ptr<replica::ShardGroup> group;
  std::optional<replica::NodeLeases> leases;
  std::unique_ptr<replica::NodeLinks> links;
  std::unique_ptr<NodeAgent> agent;
  rpc::Methods methods;
  std::unique_ptr<rpc::Server> server;
  std::unique_ptr<rpc::Channel> channel;
};

TEST_F(NodeAgentTest, a_binding_that_the_disk_refuses_leaves_it_unbound_and_the_next_one_holds) {
  platters.faults.fail_write = 1;
  Attended first, second;
  world.run(attend({hello(1), nodes()}, first));
  EXPECT_TRUE(first.reports.empty());
  EXPECT_EQ(first.ended->code, rpc::Code::failed_precondition) << first.ended->message;
  EXPECT_FALSE(record->bound());
  world.run(attend({hello(1), nodes()}, second));
  ASSERT_EQ(second.reports.size(), 2U);
  EXPECT_TRUE(second.reports[0].greeting().bound());
  EXPECT_EQ(second.reports[0].greeting().node(), 1U);
}

TEST_F(NodeAgentTest, what_a_newer_coordinator_says_of_the_nodes_does_not_keep_it_from_starting_again) {
  v1::Order newer = nodes();
  v1::Revision& revision = *newer.mutable_nodes()->mutable_revision();
  revision.GetReflection()->MutableUnknownFields(&revision)->AddLengthDelimited(99, "unheard of");
  Attended attended;
  world.run(attend({hello(1), newer}, attended));
  ASSERT_EQ(attended.reports.size(), 2U);
  const auto start_again = [this]() -> Task<> {
    const auto again = co_await NodeRecord::open(world.core, disk, "/node-0/cluster-node", "/node-0/log");
    EXPECT_TRUE(again) << again.error().text;
    if (again) EXPECT_EQ((*again)->value().nodes().nodes_size(), 2);
  };
  world.run(start_again());
}

TEST_F(NodeAgentTest, of_two_that_bind_it_at_once_the_first_is_obeyed_when_that_is_durable) {
  platters.faults.sync_takes = 200ms;
  Attended first, second;
  world.tasks.spawn(attend({hello(1), nodes()}, first));
  world.settle();
  world.tasks.spawn(attend({hello(2), nodes()}, second));
  world.advance(100ms);
  EXPECT_TRUE(first.reports.empty());
  EXPECT_TRUE(second.reports.empty());
  EXPECT_FALSE(record->bound());
  world.advance(5s);
  ASSERT_EQ(first.reports.size(), 2U);
  ASSERT_EQ(second.reports.size(), 2U);
  for (const Attended* each : {&first, &second}) EXPECT_EQ(each->reports[0].greeting().node(), 1U);
}

TEST_F(NodeAgentTest, a_binding_goes_on_when_the_call_that_asked_for_it_breaks) {
  platters.faults.sync_takes = 200ms;
  Attended broken, after;
  world.tasks.spawn(attend({hello(1)}, broken));
  world.advance(50ms);
  fabric.break_connections("node", "coordinator");
  world.advance(20ms);
  ASSERT_TRUE(broken.ended);
  world.advance(5s);
  EXPECT_TRUE(record->bound());
  world.run(attend({hello(1), nodes()}, after));
  EXPECT_EQ(after.reports.size(), 2U);
}

TEST_F(NodeAgentTest, a_replica_is_deleted_when_what_it_had_begun_has_ended_however_often_that_is_asked) {
  world.run(lead());
  world.advance(1s);
  ASSERT_TRUE(group->find(held)->serves());
  platters.faults.sync_takes = 2500ms;
  store::Put put;
  put.key = "key";
  put.value = "value";
  const replica::Ticket ticket = group->find(held)->propose(store::WriteRequest{{&put, 1}, {}, {}});
  world.settle();
  std::array<std::optional<rpc::Status>, 3> answers;
  for (auto& each : answers) {
    world.tasks.spawn(erase(limits::node_call_patience, each));
    world.advance(limits::node_call_patience);
  }
  for (const auto& each : answers) EXPECT_EQ(each->code, rpc::Code::deadline_exceeded);
  EXPECT_EQ(group->find(held), nullptr);
  std::optional<rpc::Status> last;
  world.run(erase(1min, last));
  EXPECT_TRUE(last->ok()) << last->message;
  EXPECT_TRUE(ticket.ready());
  EXPECT_EQ(log->shard(held).last, no_offset);
  // Nothing of it is left: what is opened under its number is empty.
  platters.faults.sync_takes = {};
  world.run(lead());
  EXPECT_EQ(group->find(held)->status().head.offset, Offset(0));
}

TEST_F(NodeAgentTest, the_state_of_a_shard_becomes_another_replica_once_and_as_a_whole) {
  std::vector<Bytes> blocks;
  std::optional<rpc::Status> status;
  world.run(lead());
  world.run(read_state(ShardId(8), blocks, status));
  EXPECT_EQ(status->info()->reason, not_leader_reason);
  world.advance(1s);
  store::Put put;
  put.key = "key";
  put.value = "value";
  const replica::Ticket ticket = group->find(held)->propose(store::WriteRequest{{&put, 1}, {}, {}});
  world.advance(1s);
  ASSERT_TRUE(ticket.ready());
  world.run(read_state(held, blocks, status));
  ASSERT_TRUE(status->ok()) << status->message;
  ASSERT_GE(blocks.size(), 3U);   // its head, its records, its end

  v1::MakeReplicaReply made;
  world.run(make_replica(ShardId(8), {blocks.begin(), blocks.end() - 1}, made, status));
  EXPECT_EQ(status->code, rpc::Code::data_loss) << status->message;
  EXPECT_EQ(log->shard(ShardId(8)).term, no_term);
  world.run(make_replica(ShardId(8), blocks, made, status));
  ASSERT_TRUE(status->ok()) << status->message;
  EXPECT_EQ(made.term(), 1);
  EXPECT_GE(made.records(), 1U);
  for (const ShardId there : {ShardId(8), held}) {
    world.run(make_replica(there, blocks, made, status));
    EXPECT_EQ(status->code, rpc::Code::already_exists) << status->message;
  }
  v1::NewTermRequest fence;
  fence.set_shard(8);
  fence.set_namespace_("copy");
  fence.set_term(2);
  v1::NewTermReply fenced;
  world.run(ask("NewTerm", fence, fenced, 10s, status));
  ASSERT_TRUE(status->ok()) << status->message;
  EXPECT_EQ(fenced.head().term(), 1);
  EXPECT_EQ(fenced.head().offset(), group->find(held)->status().head.offset.value());
}

TEST_F(NodeAgentTest, a_call_that_names_no_epoch_is_refused) {
  world.run(lead());
  for (const char* epoch : {"", "soon", "3rd"}) {
    v1::DeleteReplicaRequest request;
    request.set_shard(held.value());
    request.set_term(1);
    v1::DeleteReplicaReply reply;
    std::optional<rpc::Status> status;
    world.run(ask("DeleteReplica", request, reply, 10s, status, epoch));
    EXPECT_EQ(status->code, rpc::Code::invalid_argument);
    EXPECT_NE(status->message.find("skerry-epoch"), std::string::npos) << status->message;
  }
  EXPECT_NE(group->find(held), nullptr);
}

}  // namespace
}  // namespace skerry::control
