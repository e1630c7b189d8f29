// SPDX-License-Identifier: Apache-2.0
#include "net/tcp.hpp"

#include <gtest/gtest.h>

#include <array>

#include "net/testing/world.hpp"

namespace skerry::net {
namespace {

using testing::RealWorld;

struct Connection {
  std::unique_ptr<Stream> client, server;
};

// A free port below those that the system gives to clients.
Result<std::unique_ptr<Listener>> listen_somewhere(Network& network, Core& core) {
  for (int attempt = 0; attempt < 200; ++attempt) {
    const auto port = static_cast<std::uint16_t>(20'000 + core.random().below(12'000));
    auto listener = network.listen({"127.0.0.1", port});
    if (listener || listener.error() != Errc::already_exists) return listener;
  }
  return fail(Errc::unavailable, "no free port found");
}

struct Tcp : ::testing::Test {
  Tcp() { world.core.random() = Random(Random::system_seed()); }

  Task<Result<Connection>> connect() {
    CO_TRY(listener, listen_somewhere(network, world.core));
    CO_TRY(auto client, co_await network.connect(listener->address(), world.core.now() + 10s));
    CO_TRY(auto server, co_await listener->accept());
    co_return Connection{std::move(client), std::move(server)};
  }

  RealWorld world;
  TcpNetwork network{world.core};
  std::unique_ptr<Listener> listener;
};

Task<> exchange(Connection connection) {
  const std::array<BytesView, 3> pieces = {"one", "", "two"};
  EXPECT_TRUE(co_await connection.client->write(pieces));
  std::string got(100, '\0');
  std::size_t count = 0;
  while (count < 6) {
    const auto read = co_await connection.server->read_some(std::span(got).subspan(count));
    if (!read || *read == 0) break;
    count += *read;
  }
  EXPECT_EQ(got.substr(0, count), "onetwo");
  connection.client->close();
  const auto end = co_await connection.server->read_some(got);
  EXPECT_TRUE(end && *end == 0);
}

TEST_F(Tcp, carries_bytes_and_tells_when_the_other_end_has_finished) {
  struct Test {
    static Task<> run(Tcp& self) {
      auto connection = co_await self.connect();
      EXPECT_TRUE(connection) << connection.error().message();
      if (connection) co_await exchange(std::move(*connection));
    }
  };
  world.run(Test::run(*this));
}

Task<> write_much(Stream& stream, std::size_t bytes, bool& done) {
  const Bytes much(bytes, 'x');
  const BytesView piece = much;
  EXPECT_TRUE(co_await stream.write({&piece, 1}));
  done = true;
}

TEST_F(Tcp, a_write_waits_until_the_reader_has_taken_enough) {
  struct Test {
    static Task<> run(Tcp& self) {
      constexpr std::size_t bytes = 32 << 20;
      auto connection = co_await self.connect();
      EXPECT_TRUE(connection);
      bool done = false;
      self.world.tasks.spawn(write_much(*connection->client, bytes, done));
      for (int i = 0; i < 100; ++i) co_await self.world.core.yield();
      EXPECT_FALSE(done);
      EXPECT_EQ(connection->client->try_write("y"), 0U);   // the socket is full
      Bytes into(1 << 20, '\0');
      std::size_t count = 0;
      while (count < bytes) {
        const auto read = co_await connection->server->read_some(into);
        EXPECT_TRUE(read && *read > 0);
        if (!read || *read == 0) co_return;
        count += *read;
      }
      EXPECT_EQ(count, bytes);
      while (!done) co_await self.world.core.yield();
    }
  };
  world.run(Test::run(*this));
}

Task<> read_once(Stream& stream, Result<std::size_t>& into, bool& done) {
  std::array<char, 16> buffer{};
  into = co_await stream.read_some(buffer);
  done = true;
}

TEST_F(Tcp, closing_fails_a_pending_read_with_closed) {
  struct Test {
    static Task<> run(Tcp& self) {
      auto connection = co_await self.connect();
      Result<std::size_t> read;
      bool done = false;
      self.world.tasks.spawn(read_once(*connection->client, read, done));
      co_await self.world.core.yield();
      connection->client->close();
      connection->client->close();   // again, harmlessly
      while (!done) co_await self.world.core.yield();
      EXPECT_FALSE(read);
      EXPECT_EQ(read.error(), Errc::closed);
      EXPECT_EQ(connection->client->try_write("x"), 0U);
      const BytesView piece = "x";
      const auto written = co_await connection->client->write({&piece, 1});
      EXPECT_TRUE(!written && written.error() == Errc::closed);
    }
  };
  world.run(Test::run(*this));
}

TEST_F(Tcp, a_busy_port_is_an_error_that_names_it_and_says_what_to_do) {
  const auto first = listen_somewhere(network, world.core);
  ASSERT_TRUE(first);
  const auto second = network.listen((*first)->address());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(), Errc::already_exists);
  EXPECT_NE(second.error().text.find("address " + (*first)->address().text() + " is already in use"), std::string::npos);
  EXPECT_NE(second.error().text.find("another port"), std::string::npos);
}

TEST_F(Tcp, cores_join_the_port_that_the_first_of_them_took) {
  TcpNetwork first(world.core, {.port = PortUse::first}), join(world.core, {.port = PortUse::join});
  const auto taken = listen_somewhere(first, world.core);
  ASSERT_TRUE(taken);
  for (int core = 1; core < 3; ++core) {
    const auto joined = join.listen((*taken)->address());
    EXPECT_TRUE(joined) << joined.error().message();
  }
}

TEST_F(Tcp, a_port_that_others_share_is_taken_for_a_new_first) {
  TcpNetwork first(world.core, {.port = PortUse::first}), another(world.core, {.port = PortUse::first});
  const auto taken = listen_somewhere(first, world.core);
  ASSERT_TRUE(taken);
  const auto second = another.listen((*taken)->address());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(), Errc::already_exists);
}

TEST_F(Tcp, a_port_that_is_not_shared_cannot_be_joined) {
  TcpNetwork join(world.core, {.port = PortUse::join});
  const auto taken = listen_somewhere(network, world.core);
  ASSERT_TRUE(taken);
  const auto joined = join.listen((*taken)->address());
  ASSERT_FALSE(joined);
  EXPECT_EQ(joined.error(), Errc::already_exists);
}

TEST_F(Tcp, an_address_of_another_machine_cannot_be_listened_on) {
  const auto listened = network.listen({"192.0.2.1", 20'000});   // a documentation address
  ASSERT_FALSE(listened);
  EXPECT_EQ(listened.error(), Errc::unavailable);
  EXPECT_NE(listened.error().text.find("does not belong to this machine"), std::string::npos);
  const auto named = network.listen({"some-name", 20'000});
  ASSERT_FALSE(named);
  EXPECT_EQ(named.error(), Errc::invalid_argument);
}

TEST_F(Tcp, connecting_where_nobody_listens_fails_and_names_the_address) {
  struct Test {
    static Task<> run(Tcp& self) {
      auto listening = listen_somewhere(self.network, self.world.core);
      EXPECT_TRUE(listening);
      const Address address = (*listening)->address();
      listening->reset();
      const auto stream = co_await self.network.connect(address, self.world.core.now() + 10s);
      EXPECT_FALSE(stream);
      EXPECT_EQ(stream.error(), Errc::unavailable);
      EXPECT_NE(stream.error().text.find(address.text()), std::string::npos) << stream.error().text;
    }
  };
  world.run(Test::run(*this));
}

TEST_F(Tcp, localhost_reaches_a_listener_on_the_ipv4_loopback) {
  struct Test {
    static Task<> run(Tcp& self) {
      auto listening = listen_somewhere(self.network, self.world.core);
      EXPECT_TRUE(listening);
      const auto stream = co_await self.network.connect({"localhost", (*listening)->address().port}, self.world.core.now() + 10s);
      EXPECT_TRUE(stream) << stream.error().message();
    }
  };
  world.run(Test::run(*this));
}

// ".invalid" never resolves (RFC 6761); with or without a name server the lookup ends with a value.
TEST_F(Tcp, a_name_that_does_not_resolve_is_an_error_and_does_not_block_the_core) {
  struct Test {
    static Task<> run(Tcp& self) {
      const auto stream = co_await self.network.connect({"no-such-host.invalid", 80}, self.world.core.now() + 50s);
      EXPECT_FALSE(stream);
      EXPECT_NE(stream.error().text.find("no-such-host.invalid"), std::string::npos) << stream.error().text;
    }
  };
  world.run(Test::run(*this));
}

Task<> accept_once(Listener& listening, Result<std::unique_ptr<Stream>>& into, bool& done) {
  into = co_await listening.accept();
  done = true;
}

TEST_F(Tcp, closing_a_listener_ends_its_accept) {
  struct Test {
    static Task<> run(Tcp& self) {
      auto listening = listen_somewhere(self.network, self.world.core);
      EXPECT_TRUE(listening);
      Result<std::unique_ptr<Stream>> accepted;
      bool done = false;
      self.world.tasks.spawn(accept_once(**listening, accepted, done));
      co_await self.world.core.yield();
      (*listening)->close();
      while (!done) co_await self.world.core.yield();
      EXPECT_TRUE(!accepted && accepted.error() == Errc::closed);
    }
  };
  world.run(Test::run(*this));
}

}  // namespace
}  // namespace skerry::net
