// SPDX-License-Identifier: Apache-2.0
#include "replica/node_links.hpp"

#include <gtest/gtest.h>

#include "base/limits.hpp"
#include "disk/testing/simulated_disk.hpp"
#include "net/testing/memory_network.hpp"
#include "net/testing/world.hpp"
#include "replica/link_messages.hpp"
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
    group = std::make_unique<ShardGroup>(core, *log, *engine, housekeeping.value_or(ShardGroupOptions{}));
    links = std::make_unique<NodeLinks>(core, network, *group, leases);
    links->join(identity);
    links->register_in(methods);
    server = rpc::Server::make(core, network, methods, {});
    CO_TRYV(server->start(address));
    if (opens) CO_TRYV(co_await open());
    if (housekeeping) group->start();
    co_return Result<>{};
  }
  Task<Result<>> open() {
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
  std::optional<ShardGroupOptions> housekeeping;
  bool opens = true;   // its replica, when it starts
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

  std::optional<ShardGroupOptions> housekeeping;   // of nodes that are added
  bool opens = true;   // the same

  TestNode& add(std::uint32_t number, std::string instance = "one") {
    auto& node = *nodes.emplace_back(std::make_unique<TestNode>(world.core, fabric, number, std::move(instance)));
    node.housekeeping = housekeeping;
    node.opens = opens;
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
    std::vector<TestNode*> voters;
    for (const auto& node : nodes) voters.push_back(node.get());
    lead(leader, voters);
  }
  void lead(TestNode& leader, const std::vector<TestNode*>& voters) {
    term = term.next();
    BecomeLeader told{.term = term};
    for (TestNode* node : voters) {
      told.membership.voters.push_back(node->id);
      const auto answer = run(node->shard().new_term({.term = term}));
      ASSERT_TRUE(answer) << answer.error().message();
      told.heads.push_back({node->id, answer->head});
      told.lease_wait = std::max(told.lease_wait, answer->promised);
    }
    ASSERT_TRUE(leader.shard().become_leader(std::move(told)));
    ASSERT_TRUE(wait([&] { return leader.shard().serves(); }));
  }
  bool is_level(TestNode& node, TestNode& leader) { return node.shard().status().applied == leader.shard().commit(); }
  // The others are told apart by their number, and voters are those that are there at first.
  bool teach(TestNode& leader, const std::vector<TestNode*>& learners) {
    version = version.next();
    ChangeMembers told{.term = term, .membership = {.version = version, .old_voters = {}, .voters = {leader.id}, .learners = {}}};
    for (const TestNode* each : learners) told.membership.learners.push_back(each->id);
    return leader.shard().change_members(told).has_value();
  }
  MembershipVersion version{0};
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

TEST_F(NodeLinksTest, a_replica_that_is_opened_late_learns_at_once_what_its_leader_had_sent) {
  TestNode& leader = add(1);
  opens = false;
  TestNode& other = add(2);
  lead(leader, {&leader});
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(put(leader, "key" + std::to_string(i), "value"));
  ASSERT_TRUE(teach(leader, {&other}));
  world.advance(limits::append_patience / 5);
  ASSERT_TRUE(run(other.open()));
  world.advance(limits::append_patience / 5);
  EXPECT_TRUE(is_level(other, leader));
}

// Of messages for replicas that are not open yet, as they are sent.
struct NodeLinksEarlyTest : NodeLinksTest {
  static constexpr std::size_t kept_max = 4 << 20;   // from one node

  NodeLinksEarlyTest() {
    add(1);
    opens = false;
    for (std::uint32_t number : {2, 3}) add(number);
  }
  // A first message with a few entries, of this size on the wire.
  void send(TestNode& to, std::size_t size) {
    std::vector<Bytes> entries((size - 1) / 250'000, Bytes(250'000, 'x'));
    entries.emplace_back();
    const Append message{.term = Term(1), .entries_term = Term(1), .last = Offset(static_cast<std::int64_t>(entries.size()) - 1)};
    const auto size_on_the_wire = [&] {
      wire::Append written;
      write(message, shard_id, std::vector<BytesView>(entries.begin(), entries.end()), written);
      return written.ByteSizeLong();
    };
    entries.back().resize(size - size_on_the_wire() - 2);   // for it to tell its own size
    ASSERT_EQ(size_on_the_wire(), size);
    ASSERT_TRUE(wait([&] { return nodes[0]->links->heard(to.id).has_value(); }));
    nodes[0]->links->send(to.id, shard_id, message, std::vector<BytesView>(entries.begin(), entries.end()));
    world.advance(limits::heartbeat_interval);
  }
  bool has_any_when_opened(TestNode& node) {
    EXPECT_TRUE(run(node.open()));
    world.advance(limits::heartbeat_interval * 2);
    return node.shard().status().head.offset != no_offset;
  }
};

TEST_F(NodeLinksEarlyTest, four_mebibytes_are_kept_and_no_byte_more) {
  send(*nodes[1], kept_max);
  send(*nodes[2], kept_max + 1);
  EXPECT_TRUE(has_any_when_opened(*nodes[1]));
  EXPECT_FALSE(has_any_when_opened(*nodes[2]));
}

TEST_F(NodeLinksEarlyTest, the_newest_takes_the_place_of_the_one_before_even_where_it_is_too_large_itself) {
  for (TestNode* node : {nodes[1].get(), nodes[2].get()}) {
    send(*node, 100'000);
    send(*node, kept_max + 1);
  }
  EXPECT_FALSE(has_any_when_opened(*nodes[1]));
  send(*nodes[2], kept_max);
  EXPECT_TRUE(has_any_when_opened(*nodes[2]));
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

// Logs that keep next to nothing, so that who was away needs the state.
struct NodeLinksSnapshotTest : NodeLinksTest {
  NodeLinksSnapshotTest() {
    housekeeping = ShardGroupOptions{
        .wal_retention_bytes = 1 << 10, .replay_bytes_max = 1 << 10, .checkpoint_interval = 500ms, .trim_interval = 500ms};
  }
  void write_and_trim(TestNode& leader, int records, std::size_t bytes) {
    for (int i = 0; i < records; ++i) {
      ASSERT_TRUE(put(leader, "key" + std::to_string(i), Bytes(bytes, static_cast<char>('a' + i % 26))));
    }
    ASSERT_TRUE(wait([&] {
      return leader.log->shard(shard_id).first > Offset(records - 5) || leader.log->shard(shard_id).first == no_offset;
    }));
  }
};

TEST_F(NodeLinksSnapshotTest, a_state_of_many_blocks_is_sent_and_taken) {
  TestNode &leader = add(1), &other = add(2);
  lead(leader, {&leader});
  write_and_trim(leader, 60, 100'000);
  ASSERT_TRUE(teach(leader, {&other}));
  ASSERT_TRUE(wait([&] { return is_level(other, leader); }));
  for (int i = 0; i < 60; ++i) EXPECT_EQ(state(other, "key" + std::to_string(i)).size(), 100'000U);
  ASSERT_TRUE(put(leader, "after", "it"));
  EXPECT_TRUE(wait([&] { return state(other, "after") == "it"; }));
}

TEST_F(NodeLinksSnapshotTest, a_stream_that_breaks_goes_on_where_the_receiver_stands) {
  TestNode &leader = add(1), &other = add(2);
  lead(leader, {&leader});
  write_and_trim(leader, 100, 100'000);
  ASSERT_TRUE(teach(leader, {&other}));
  for (int i = 0; i < 60 && !is_level(other, leader); ++i) {   // less time between two than the whole takes
    world.advance(70ms);
    fabric.break_connections("node1", "node2");
  }
  ASSERT_TRUE(is_level(other, leader));
  EXPECT_EQ(state(other, "key99").size(), 100'000U);
}

TEST_F(NodeLinksSnapshotTest, a_node_sends_few_at_once_and_not_too_fast) {
  TestNode& leader = add(1);
  lead(leader, {&leader});
  const std::size_t total = 100 * 40'000;
  write_and_trim(leader, 100, 40'000);
  std::vector<TestNode*> learners;
  for (std::uint32_t number = 2; number <= 6; ++number) learners.push_back(&add(number));
  const TimePoint begun = world.clock.now();
  ASSERT_TRUE(teach(leader, learners));
  std::vector<TimePoint> level;
  ASSERT_TRUE(wait([&] {
    const auto count = std::ranges::count_if(learners, [&](TestNode* each) { return is_level(*each, leader); });
    while (level.size() < static_cast<std::size_t>(count)) level.push_back(world.clock.now());
    return level.size() == learners.size();
  }));
  const Duration pace = std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(static_cast<double>(total) / limits::snapshot_bytes_per_second_max));
  EXPECT_GT(level[0] - begun, pace * 3 / 2);   // two share the pace
  EXPECT_GT(level[2] - begun, pace * 5 / 2);   // the third began when one of them had ended
  EXPECT_GT(level[4] - begun, pace * 9 / 2);
}

TEST_F(NodeLinksSnapshotTest, nodes_that_are_gone_keep_no_others_waiting) {
  TestNode& leader = add(1);
  lead(leader, {&leader});
  write_and_trim(leader, 100, 100'000);
  const std::vector<TestNode*> going{&add(2), &add(3)};
  ASSERT_TRUE(teach(leader, going));
  world.advance(50ms);   // they are being sent the state, which takes longer
  for (TestNode* each : going) {
    EXPECT_FALSE(is_level(*each, leader));
    addresses.erase(each->id);
  }
  TestNode& other = add(4);   // and tells the leader who is left
  ASSERT_TRUE(teach(leader, {going[0], going[1], &other}));
  EXPECT_TRUE(wait([&] { return is_level(other, leader); }));   // in less than the patience with one that is being sent it
}

TEST_F(NodeLinksSnapshotTest, a_replica_that_has_it_all_takes_none) {
  TestNode &leader = add(1), &other = add(2);
  lead(leader);
  write_and_trim(leader, 20, 1000);
  ASSERT_TRUE(wait([&] { return is_level(other, leader); }));
  fabric.break_connections("node1", "node2");
  ASSERT_TRUE(put(leader, "after", "it"));
  EXPECT_TRUE(wait([&] { return state(other, "after") == "it"; }));
}

}  // namespace
}  // namespace skerry::replica
