// SPDX-License-Identifier: Apache-2.0
#include "replica/node_links.hpp"

#include <gtest/gtest.h>

#include "base/limits.hpp"
#include "disk/testing/simulated_disk.hpp"
#include "net/testing/memory_network.hpp"
#include "net/testing/world.hpp"
#include "replica/testing/shard_world.hpp"
#include "rpc/server.hpp"
#include "store/memory_engine.hpp"

namespace skerry::replica {
namespace {

constexpr ShardId shard_id{7};

// A node with one replica, and its internal port, in memory.
struct TestNode {
  TestNode(Core& on_core, net::testing::MemoryFabric& fabric, std::uint32_t number, std::string instance)
      : core(on_core), id(number), address{"node" + std::to_string(number), 6649}, network(core, fabric, address.host),
        disk(core, platters), leases(Incarnation(1), core.clock().now()), identity{std::move(instance), id} {}

  Task<Result<>> start() {
    CO_TRY(log, co_await disk::Log::open(core, disk, "/log", {.segment_bytes = 1 << 20}));
    CO_TRY(engine, co_await store::MemoryEngine::open(core, disk, "/engine"));
    group = std::make_unique<ShardGroup>(core, *log, *engine, ShardGroupOptions{});
    links = std::make_unique<NodeLinks>(core, network, *group, leases);
    links->join(identity);
    links->register_in(methods);
    server = rpc::Server::make(core, network, methods, {});
    CO_TRYV(server->start(address));
    CO_TRYV(co_await group->open(shard_id, {.seat = Seat{id, &leases, links.get()}}));
    co_return Result<>{};
  }
  Task<Result<>> stop() {
    co_await links->stop();
    co_await server->stop(core.now());
    CO_TRYV(co_await group->stop());
    group.reset();
    CO_TRYV(co_await engine->stop());
    co_return co_await log->stop();
  }
  Shard& shard() { return *group->find(shard_id); }

  Core& core;
  const NodeId id;
  const net::Address address;
  net::testing::MemoryNetwork network;
  disk::SimulatedDiskState platters;
  disk::SimulatedDisk disk;
  NodeLeases leases;
  NodeIdentity identity;
  rpc::Methods methods;
  std::unique_ptr<disk::Log> log;
  std::unique_ptr<store::MemoryEngine> engine;
  std::unique_ptr<ShardGroup> group;
  std::unique_ptr<NodeLinks> links;
  std::unique_ptr<rpc::Server> server;
};

struct NodeLinksTest : testing::Test {
  net::testing::ManualWorld world;
  net::testing::MemoryFabric fabric;
  std::vector<std::unique_ptr<TestNode>> nodes;
  std::map<NodeId, net::Address> addresses;
  Term term{0};

  TestNode& add(std::uint32_t number, std::string instance = "one") {
    auto& node = *nodes.emplace_back(std::make_unique<TestNode>(world.core, fabric, number, std::move(instance)));
    const auto started = run(node.start());
    EXPECT_TRUE(started) << started.error().message();
    addresses[node.id] = node.address;
    for (const auto& each : nodes) each->links->set_nodes(addresses);
    return node;
  }
  void TearDown() override {
    for (const auto& node : nodes) EXPECT_TRUE(run(node->stop()));
    world.settle();
  }
  template <class T>
  T run(Task<T> task) {
    std::optional<T> result;
    world.tasks.spawn(keep(std::move(task), result));
    EXPECT_TRUE(wait([&] { return result.has_value(); }));
    return std::move(*result);
  }
  template <class T>
  static Task<> keep(Task<T> task, std::optional<T>& result) {
    result.emplace(co_await std::move(task));
  }
  bool wait(const std::function<bool()>& holds) {
    const TimePoint until = world.clock.now() + 10s;
    while (!holds() && world.clock.now() < until) world.advance(1ms);
    return holds();
  }
  void lead(TestNode& leader) {
    term = term.next();
    BecomeLeader told{.term = term};
    for (const auto& node : nodes) {
      told.membership.voters.push_back(node->id);
      const auto answer = run(node->shard().new_term({.term = term}));
      ASSERT_TRUE(answer) << answer.error().message();
      told.heads.push_back({node->id, answer->head});
      told.lease_wait = std::max(told.lease_wait, answer->promised);
    }
    ASSERT_TRUE(leader.shard().become_leader(std::move(told)));
    ASSERT_TRUE(wait([&] { return leader.shard().serves(); }));
  }
  bool put(TestNode& leader, Bytes key, Bytes value) {
    const PutRequest request(std::move(key), std::move(value));
    Ticket ticket = leader.shard().propose(request.request());
    return wait([&] { return ticket.ready(); }) && ticket.take().has_value();
  }
  std::string state(TestNode& node, Bytes key) {
    const auto found = run(node.shard().get({.key = key, .index = {}}));
    return found && found->status == store::Status::ok ? found->value : "absent";
  }
};

TEST_F(NodeLinksTest, replicas_agree_over_streams_and_leases_are_kept_by_heartbeats) {
  for (std::uint32_t number = 1; number <= 3; ++number) add(number);
  lead(*nodes[0]);
  ASSERT_TRUE(put(*nodes[0], "key", "value"));
  ASSERT_TRUE(wait([&] { return state(*nodes[1], "key") == "value" && state(*nodes[2], "key") == "value"; }));
  for (int i = 0; i < 100; ++i) {
    world.advance(limits::lease_length / 4);
    ASSERT_TRUE(nodes[0]->shard().serves());
  }
}

TEST_F(NodeLinksTest, a_node_that_leads_elsewhere_answers_and_is_answered_at_once) {
  for (std::uint32_t number = 1; number <= 3; ++number) add(number);
  lead(*nodes[0]);
  ASSERT_TRUE(put(*nodes[0], "one", "1"));
  lead(*nodes[2]);
  EXPECT_FALSE(nodes[0]->shard().serves());
  ASSERT_TRUE(put(*nodes[2], "two", "2"));
  EXPECT_EQ(state(*nodes[2], "one"), "1");
  ASSERT_TRUE(wait([&] { return state(*nodes[0], "two") == "2"; }));
}

TEST_F(NodeLinksTest, a_stream_that_breaks_is_made_again_and_nothing_is_missed) {
  for (std::uint32_t number = 1; number <= 3; ++number) add(number);
  lead(*nodes[0]);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(put(*nodes[0], "key" + std::to_string(i), "value"));
    fabric.break_connections("node1", "node2");
  }
  ASSERT_TRUE(wait([&] { return state(*nodes[1], "key19") == "value"; }));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(state(*nodes[1], "key" + std::to_string(i)), "value");
}

TEST_F(NodeLinksTest, a_leader_that_nobody_hears_loses_its_lease_and_gets_it_back) {
  for (std::uint32_t number = 1; number <= 3; ++number) add(number);
  lead(*nodes[0]);
  for (const char* other : {"node2", "node3"}) fabric.cut("node1", other);
  world.advance(limits::lease_length);
  EXPECT_FALSE(nodes[0]->shard().serves());
  world.advance(3s);   // the streams are given up
  for (const char* other : {"node2", "node3"}) fabric.heal("node1", other);
  EXPECT_TRUE(wait([&] { return nodes[0]->shard().serves(); }));
  EXPECT_TRUE(put(*nodes[0], "key", "value"));
}

TEST_F(NodeLinksTest, large_entries_and_many_arrive_whole) {
  for (std::uint32_t number = 1; number <= 3; ++number) add(number);
  lead(*nodes[0]);
  for (int i = 0; i < 40; ++i)
    ASSERT_TRUE(put(*nodes[0], "large" + std::to_string(i), Bytes(300'000, static_cast<char>('a' + i % 20))));
  ASSERT_TRUE(wait([&] { return state(*nodes[2], "large39").size() == 300'000; }));
  EXPECT_EQ(state(*nodes[2], "large7"), Bytes(300'000, 'h'));
}

TEST_F(NodeLinksTest, a_node_of_another_cluster_is_refused) {
  add(1);
  add(2, "another");
  world.advance(500ms);
  EXPECT_FALSE(nodes[0]->links->heard(NodeId(2)));
  EXPECT_FALSE(nodes[1]->links->heard(NodeId(1)));
}

}  // namespace
}  // namespace skerry::replica
