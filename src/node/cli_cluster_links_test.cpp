// SPDX-License-Identifier: Apache-2.0
#include "node/cli_cluster_links.hpp"

#include <gtest/gtest.h>

#include "net/testing/memory_network.hpp"
#include "net/testing/world.hpp"

namespace skerry::node {
namespace {

// Member 1 calls member 2, which sends back what it hears.
struct LinksTest : testing::Test {
  LinksTest() {
    EXPECT_TRUE(links.start());
    auto listening = network.listen(target);
    EXPECT_TRUE(listening);
    listener = *std::move(listening);
    world.tasks.spawn(accept());
  }
  ~LinksTest() override {
    if (caller) caller->close();   // and stays until whoever reads it has ended
    world.tasks.spawn(end());
    world.advance(1s);
  }
  Task<> end() {
    co_await links.stop();
    listener->close();
  }

  Task<> accept() {
    while (auto stream = co_await listener->accept()) world.tasks.spawn(echo(*std::move(stream)));
  }
  Task<> echo(std::unique_ptr<net::Stream> stream) {
    ++accepted;
    std::array<char, 64> buffer;
    for (;;) {
      const auto count = co_await stream->read_some(buffer);
      if (!count || *count == 0) co_return;
      heard.append(buffer.data(), *count);
      const BytesView piece(buffer.data(), *count);
      if (!co_await stream->write({&piece, 1})) co_return;
    }
  }

  Task<> call() {
    auto stream = co_await network.connect(link, world.core.now() + 1s);
    EXPECT_TRUE(stream);
    caller = *std::move(stream);
  }
  Task<> listen_to_answers() {
    std::array<char, 64> buffer;
    for (;;) {
      const auto count = co_await caller->read_some(buffer);
      if (!count || *count == 0) co_return;
      answered.append(buffer.data(), *count);
    }
  }
  void connect() {
    world.tasks.spawn(call());
    world.settle();
    world.tasks.spawn(listen_to_answers());
  }
  void say(std::string_view text) {
    EXPECT_EQ(caller->try_write(text), text.size());
    world.advance(10ms);
  }

  net::testing::ManualWorld world;
  net::testing::MemoryFabric fabric;
  net::testing::MemoryNetwork network{world.core, fabric, "here"};
  const net::Address link{"here", 100}, target{"here", 200};
  ClusterLinks links{world.core, network, {{2, {link, target}}}, [](std::uint16_t, std::uint16_t) { return std::optional(1u); }};
  std::unique_ptr<net::Listener> listener;
  std::unique_ptr<net::Stream> caller;
  std::string heard, answered;
  int accepted = 0;
};

TEST_F(LinksTest, carry_both_ways) {
  connect();
  say("a");
  EXPECT_EQ(heard, "a");
  EXPECT_EQ(answered, "a");
}

TEST_F(LinksTest, what_is_cut_waits_and_arrives_after_healing) {
  connect();
  say("a");
  links.cut(1, 2);
  say("b");
  EXPECT_EQ(heard, "a");
  links.heal(1, 2);
  world.advance(10ms);
  EXPECT_EQ(heard, "ab");
  EXPECT_EQ(answered, "ab");
}

TEST_F(LinksTest, one_direction_can_be_cut_alone) {
  connect();
  say("a");
  links.cut(2, 1);
  say("b");
  EXPECT_EQ(heard, "ab");
  EXPECT_EQ(answered, "a");
  links.heal(2, 1);
  world.advance(10ms);
  EXPECT_EQ(answered, "ab");
}

TEST_F(LinksTest, a_connection_made_while_cut_off_says_nothing_until_healed) {
  links.cut(2, 1);
  connect();
  say("a");
  EXPECT_EQ(accepted, 0);
  links.heal(2, 1);
  world.advance(10ms);
  EXPECT_EQ(accepted, 1);
  EXPECT_EQ(answered, "a");
}

TEST_F(LinksTest, a_caller_that_gives_up_while_cut_off_is_forgotten) {
  links.cut(1, 2);
  connect();
  say("a");
  caller->close();
  world.advance(10ms);
  links.heal(1, 2);
  world.advance(10ms);
  EXPECT_EQ(accepted, 0);
}

TEST_F(LinksTest, others_are_not_touched_by_a_cut) {
  links.cut(1, 3);
  links.cut(3, 2);
  connect();
  say("a");
  EXPECT_EQ(answered, "a");
}

}  // namespace
}  // namespace skerry::node
