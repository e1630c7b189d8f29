// SPDX-License-Identifier: Apache-2.0
// Which clients a server sends away: those that flood it, break the protocol, or are silent.
#include "rpc/server.hpp"

#include <gtest/gtest.h>

#include "rpc/testing/raw_fixture.hpp"

namespace skerry::rpc {
namespace {

using test::Raw;
using test::RawClient;

TEST_F(Raw, a_client_that_pings_too_often_is_sent_away) {
  connect();
  const std::string ping = RawClient::frame(NGHTTP2_PING, 0, 0, "12345678");
  for (int i = 0; i < 5; ++i) {   // allowed
    send(ping);
    world.advance(6s);
  }
  EXPECT_EQ(client->find(NGHTTP2_GOAWAY), nullptr);
  for (int i = 0; i < 5; ++i) send(ping);
  ASSERT_NE(client->find(NGHTTP2_GOAWAY), nullptr);
  EXPECT_EQ(goaway_text(), "too_many_pings");
  EXPECT_TRUE(client->ended());
}

TEST_F(Raw, pings_beside_replies_are_no_offence) {
  connect();
  for (int i = 0; i < 20; ++i) {
    send(RawClient::frame(NGHTTP2_PING, 0, 0, "12345678"));
    client->call(2 * i + 1, unary, "");
    world.settle();
  }
  EXPECT_EQ(client->find(NGHTTP2_GOAWAY), nullptr);
}

TEST_F(Raw, a_flood_of_settings_ends_the_connection) {
  connect();
  std::string flood;
  for (int i = 0; i < 5'000; ++i) flood += RawClient::frame(NGHTTP2_SETTINGS, 0, 0, "");
  send(flood);
  EXPECT_TRUE(client->ended());
}

TEST_F(Raw, rapid_resets_end_the_connection) {
  connect();
  std::string flood;
  for (int i = 0; i < 12'000 && !client->ended(); ++i) {
    flood += client->headers(2 * i + 1, RawClient::request_fields(unary));
    flood += RawClient::frame(NGHTTP2_RST_STREAM, 0, 2 * i + 1, std::string("\0\0\0\x08", 4));
    if (flood.size() > 10'000) send(std::exchange(flood, ""));
  }
  EXPECT_TRUE(client->ended());
  EXPECT_NE(client->find(NGHTTP2_GOAWAY), nullptr);
}

TEST_F(Raw, what_is_not_http2_is_hung_up_on) {
  world.serve();
  reconnect();
  send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(client->ended());
}

TEST_F(Raw, a_broken_header_block_ends_the_connection_and_its_calls) {
  connect();
  send(client->headers(1, RawClient::request_fields("/skerry.test.Echo/Bidirectional")));
  send(RawClient::frame(NGHTTP2_DATA, 0, 1, empty_message));
  EXPECT_EQ(world.echo.statistics().started(), 1U);
  send(RawClient::frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 3, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"));
  EXPECT_TRUE(client->ended());
  EXPECT_EQ(world.echo.statistics().cancelled(), 1U);
}

TEST_F(Raw, a_silent_client_is_pinged_and_then_dropped) {
  connect();
  EXPECT_EQ(client->find(NGHTTP2_PING), nullptr);
  world.advance(31s);
  EXPECT_NE(client->find(NGHTTP2_PING), nullptr);
  EXPECT_FALSE(client->ended());
  world.advance(21s);
  EXPECT_TRUE(client->ended());
}

TEST_F(Raw, a_client_that_answers_pings_stays) {
  connect();
  for (int i = 0; i < 10; ++i) {
    world.advance(31s);
    send(RawClient::frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "keepaliv"));
  }
  EXPECT_FALSE(client->ended());
}

}  // namespace
}  // namespace skerry::rpc
