// SPDX-License-Identifier: Apache-2.0
// How a channel connects, loses its connection and connects again.
#include "rpc/channel.hpp"

#include <gtest/gtest.h>

#include "rpc/testing/world.hpp"

namespace skerry::rpc {
namespace {

using test::EchoRequest;
using test::RpcWorld;

TEST(Channel, a_call_where_nobody_listens_is_unavailable_and_names_the_address) {
  RpcWorld world;
  world.open();
  const auto outcome = world.call_and_wait({});
  EXPECT_EQ(outcome.status.code, Code::unavailable);
  EXPECT_NE(outcome.status.message.find("server:6648"), std::string::npos) << outcome.status.message;
}

TEST(Channel, after_a_failure_calls_fail_at_once_until_the_backoff_has_passed) {
  RpcWorld world;
  world.open({.backoff_min = 1s, .backoff_max = 4s});
  EXPECT_EQ(world.call_and_wait({}).status.code, Code::unavailable);
  world.serve();
  EXPECT_EQ(world.call_and_wait({}).status.code, Code::unavailable);   // within half a second at least
  world.advance(1s);
  EXPECT_TRUE(world.call_and_wait({}).status.ok());
}

TEST(Channel, backoff_grows_to_its_maximum_and_no_further) {
  RpcWorld world;
  world.open({.backoff_min = 100ms, .backoff_max = 1s});
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(world.call_and_wait({}).status.code, Code::unavailable);
    world.advance(1s);
  }
  world.serve();
  EXPECT_TRUE(world.call_and_wait({}).status.ok());
}

TEST(Channel, calls_fail_at_once_when_their_connection_breaks_and_the_next_call_connects_again) {
  RpcWorld world;
  world.start();
  EXPECT_TRUE(world.call_and_wait({}).status.ok());
  world.advance(2s);
  EchoRequest slow;
  slow.set_delay_ms(60'000);
  RpcWorld::Outcome running;
  world.call(running, slow, world.within(100s));
  world.settle();
  world.fabric.break_connections("client", "server");
  world.settle();
  EXPECT_EQ(running.status.code, Code::unavailable);
  EXPECT_NE(running.status.message.find("was lost"), std::string::npos) << running.status.message;
  EXPECT_EQ(world.echo.statistics().cancelled(), 1U);   // the server noticed as well
  EXPECT_TRUE(world.call_and_wait({}).status.ok());
}

TEST(Channel, a_server_that_answers_no_ping_is_given_up) {
  RpcWorld world;
  world.start();
  EXPECT_TRUE(world.call_and_wait({}).status.ok());
  EchoRequest slow;
  slow.set_delay_ms(600'000);
  RpcWorld::Outcome running;
  world.call(running, slow, world.within(1000s));
  world.settle();
  world.fabric.cut("client", "server");
  world.advance(14s);
  EXPECT_EQ(running.status.code, Code::unavailable);
  EXPECT_NE(running.status.message.find("keepalive"), std::string::npos) << running.status.message;
  world.fabric.heal("client", "server");
}

TEST(Channel, an_idle_connection_with_a_live_server_stays) {
  RpcWorld world;
  world.start();
  EXPECT_TRUE(world.call_and_wait({}).status.ok());
  world.advance(10min);
  EXPECT_TRUE(world.call_and_wait({}).status.ok());
}

TEST(Channel, connecting_through_a_partition_ends_with_the_call_s_deadline) {
  RpcWorld world;
  world.serve();
  world.open({.connect_timeout = 30s});
  world.fabric.cut("client", "server");
  EXPECT_EQ(world.call_and_wait({}, 2s).status.code, Code::deadline_exceeded);
  world.fabric.heal("client", "server");
}

TEST(Channel, calls_that_wait_for_a_connection_all_use_the_one) {
  RpcWorld world;
  world.start();
  world.fabric.set_delay(20ms);
  std::vector<RpcWorld::Outcome> outcomes(10);
  for (auto& outcome : outcomes) world.call(outcome, {}, world.within(10s));
  world.advance(1s);
  for (const auto& outcome : outcomes) EXPECT_TRUE(outcome.status.ok()) << outcome.status.message;
}

TEST(Channel, a_deadline_in_the_past_fails_without_a_connection) {
  RpcWorld world;
  world.open();
  EXPECT_EQ(world.call_and_wait({}, -1s).status.code, Code::deadline_exceeded);
}

TEST(Channel, stopping_ends_running_and_refuses_new_calls) {
  RpcWorld world;
  world.start();
  EchoRequest slow;
  slow.set_delay_ms(60'000);
  RpcWorld::Outcome running;
  world.call(running, slow, world.within(100s));
  world.settle();
  world.run(world.channel->stop());
  EXPECT_EQ(running.status.code, Code::unavailable);
  EXPECT_EQ(world.call_and_wait({}).status.code, Code::unavailable);
  world.settle();
  EXPECT_EQ(world.echo.statistics().cancelled(), 1U);
}

TEST(Channel, a_restarted_server_is_found_again) {
  RpcWorld world;
  world.start();
  EXPECT_TRUE(world.call_and_wait({}).status.ok());
  world.advance(2s);
  for (int i = 0; i < 3; ++i) {
    world.run(world.server->stop(world.core.now() + 1s));
    world.server.reset();
    EXPECT_EQ(world.call_and_wait({}).status.code, Code::unavailable);
    world.serve();
    world.advance(10s);
    EXPECT_TRUE(world.call_and_wait({}).status.ok());
    world.advance(2s);
  }
}

TEST(Channel, a_reply_above_the_limit_ends_the_call_with_the_limit_s_name) {
  RpcWorld world;
  world.serve();
  world.open({.message_bytes_max = 1'000});
  EchoRequest request;
  request.set_reply_bytes(2'000);
  const auto outcome = world.call_and_wait(request);
  EXPECT_EQ(outcome.status.code, Code::resource_exhausted);
  EXPECT_NE(outcome.status.message.find("message_bytes_max"), std::string::npos);
}

// What a crash does: frames end where they stand, and nothing is run or written by it.
TEST(Channel, a_core_whose_frames_are_dropped_in_the_middle_of_calls_leaves_nothing_behind) {
  auto world = std::make_unique<RpcWorld>();
  world->start();
  EchoRequest slow;
  slow.set_delay_ms(60'000);
  std::vector<RpcWorld::Outcome> outcomes(3);
  world->call(outcomes[0], slow, world->within(100s));
  world->call(outcomes[1], {}, world->within(100s), "SlowReader");
  world->settle();
  world->call(outcomes[2], slow, world->within(100s));
  world->core.drop_frames();
  EXPECT_FALSE(outcomes[0].ended);
  world->channel.reset();
  world->server.reset();
}

Task<> open_call(Channel& channel, std::unique_ptr<ClientCall>& into) {
  auto call = co_await channel.open("/skerry.test.Echo/Unary", {.deadline = no_deadline, .metadata = {}});
  if (call) into = *std::move(call);
}

// As where a process crashes: nothing has been stopped, and what refers to what goes in any order.
TEST(Channel, where_frames_are_dropped_a_call_may_outlive_its_channel) {
  ManualClock clock;
  Core core{CoreId{0}, clock, 1};
  net::testing::MemoryFabric fabric;
  net::testing::MemoryNetwork client_side{core, fabric, "client"}, server_side{core, fabric, "server"};
  const net::Address address{"server", 6648};
  const Methods methods;
  auto server = Server::make(core, server_side, methods, {});
  ASSERT_TRUE(server->start(address));
  auto channel = Channel::make(core, client_side, address, {});
  std::unique_ptr<ClientCall> call;
  {
    TaskScope tasks(core);
    tasks.spawn(open_call(*channel, call));
    while (!call) {
      if (!core.run_turn()) clock.advance(*core.next_timer() - clock.now());
    }
    core.drop_frames();
  }
  server.reset();
  channel.reset();
  call.reset();
}

}  // namespace
}  // namespace skerry::rpc
