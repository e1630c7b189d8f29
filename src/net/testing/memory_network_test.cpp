// SPDX-License-Identifier: Apache-2.0
#include "net/testing/memory_network.hpp"

#include <gtest/gtest.h>

#include <array>

#include "net/testing/world.hpp"

namespace skerry::net::testing {
namespace {

struct Memory : ::testing::Test {
  ManualWorld world;
  MemoryFabric fabric;
  MemoryNetwork a{world.core, fabric, "a"}, b{world.core, fabric, "b"};
  std::unique_ptr<Listener> listener;
  std::unique_ptr<Stream> client, server;
  std::string seen;     // by the server
  bool ended = false;   // its reading

  void connect() {
    listener = std::move(*b.listen({"b", 0}));
    world.run(open(*this));
    ASSERT_NE(client, nullptr);
    ASSERT_NE(server, nullptr);
    world.tasks.spawn(read_all(*this));
    world.settle();
  }
  static Task<> open(Memory& self) {
    auto stream = co_await self.a.connect(self.listener->address(), no_deadline);
    EXPECT_TRUE(stream);
    if (stream) self.client = std::move(*stream);
    auto accepted = co_await self.listener->accept();
    EXPECT_TRUE(accepted);
    if (accepted) self.server = std::move(*accepted);
  }
  static Task<> read_all(Memory& self) {
    std::array<char, 8> buffer{};
    for (;;) {
      const auto count = co_await self.server->read_some(buffer);
      if (!count || *count == 0) break;
      self.seen.append(buffer.data(), *count);
    }
    self.ended = true;
  }
};

TEST_F(Memory, carries_bytes_in_order) {
  connect();
  EXPECT_EQ(client->try_write("hello "), 6U);
  EXPECT_EQ(client->try_write("world, again"), 12U);
  world.settle();
  EXPECT_EQ(seen, "hello world, again");
  client->close();
  world.settle();
  EXPECT_TRUE(ended);
}

TEST_F(Memory, delayed_bytes_arrive_when_they_are_due) {
  connect();
  fabric.set_delay(30ms);
  EXPECT_EQ(client->try_write("x"), 1U);
  world.advance(29ms);
  EXPECT_EQ(seen, "");
  world.advance(1ms);
  EXPECT_EQ(seen, "x");
}

TEST_F(Memory, a_cut_holds_bytes_back_until_it_is_healed) {
  connect();
  fabric.cut("b", "a");
  EXPECT_EQ(client->try_write("x"), 1U);
  world.advance(1h);
  EXPECT_EQ(seen, "");
  EXPECT_FALSE(ended);
  fabric.heal("a", "b");
  world.settle();
  EXPECT_EQ(seen, "x");
}

TEST_F(Memory, broken_connections_fail_both_ends) {
  connect();
  fabric.break_connections("a", "b");
  world.settle();
  EXPECT_TRUE(ended);
  EXPECT_EQ(client->try_write("x"), 0U);
}

TEST_F(Memory, a_full_pipe_takes_no_more) {
  connect();
  fabric.pipe_bytes_max = 4;
  fabric.cut("a", "b");
  EXPECT_EQ(client->try_write("123456"), 4U);
  EXPECT_EQ(client->try_write("56"), 0U);
}

TEST_F(Memory, nobody_listening_is_unavailable_and_a_taken_address_already_exists) {
  struct Test {
    static Task<> run(Memory& self) {
      const auto stream = co_await self.a.connect({"b", 1}, no_deadline);
      EXPECT_TRUE(!stream && stream.error() == Errc::unavailable);
    }
  };
  world.run(Test::run(*this));
  const auto first = b.listen({"", 7});
  ASSERT_TRUE(first);
  EXPECT_EQ((*first)->address(), (Address{"b", 7}));
  EXPECT_EQ(b.listen({"b", 7}).error(), Errc::already_exists);
  EXPECT_EQ(b.listen({"a", 7}).error(), Errc::unavailable);
}

}  // namespace
}  // namespace skerry::net::testing
