// SPDX-License-Identifier: Apache-2.0
// What a server answers to requests that are too large or too many, and what it holds for slow clients.
#include "rpc/server.hpp"

#include <gtest/gtest.h>

#include "rpc/testing/raw_fixture.hpp"

namespace skerry::rpc {
namespace {

using test::EchoRequest;
using test::Fields;
using test::Frame;
using test::Raw;
using test::RawClient;

TEST_F(Raw, a_message_above_the_limit_is_resource_exhausted_before_it_is_sent) {
  connect({.message_bytes_max = 1000});
  send(client->headers(1, RawClient::request_fields(unary)));
  send(RawClient::frame(NGHTTP2_DATA, 0, 1, RawClient::message(std::string(1001, 'x')).substr(0, 100)));
  const Frame* trailers = client->last_headers(1);
  ASSERT_NE(trailers, nullptr);
  EXPECT_EQ(trailers->field("grpc-status"), "8");
  EXPECT_NE(trailers->field("grpc-message").find("limit of 1000 bytes (message_bytes_max)"), std::string::npos);
  const Frame* reset = client->find(NGHTTP2_RST_STREAM, 1);   // the client need not send the rest
  ASSERT_NE(reset, nullptr);
  EXPECT_EQ(reset->payload, std::string(4, '\0'));
}

TEST_F(Raw, requests_above_the_server_s_buffers_are_resource_exhausted) {
  connect({.buffered_bytes_max = 10'000});
  for (int stream = 1; stream < 7; stream += 2) {
    send(client->headers(stream, RawClient::request_fields(unary)));
    send(RawClient::frame(NGHTTP2_DATA, 0, stream, RawClient::message(std::string(6'000, 'x')).substr(0, 5'500)));
  }
  const Frame* refused = client->last_headers(3);
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(refused->field("grpc-status"), "8");
  EXPECT_NE(refused->field("grpc-message").find("buffered_bytes_max"), std::string::npos);
  EXPECT_EQ(client->last_headers(1), nullptr);   // the first goes on
  send(RawClient::frame(NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, std::string(505, 'x')));
  ASSERT_NE(client->last_headers(1), nullptr);
}

TEST_F(Raw, a_connection_that_fills_the_server_s_buffers_pays_and_the_others_are_served) {
  connect({.buffered_bytes_max = 20'000});
  send(client->headers(1, RawClient::request_fields(unary)));
  send(RawClient::frame(NGHTTP2_DATA, 0, 1, RawClient::message(std::string(30'000, 'x')).substr(0, 16'000)));
  auto greedy = std::move(client);
  reconnect();
  send(RawClient::preface());
  send(client->headers(1, RawClient::request_fields(unary)));   // less than half of the limit, and above it together
  send(RawClient::frame(NGHTTP2_DATA, 0, 1, RawClient::message(std::string(4'000, 'x')).substr(0, 3'000)));
  EXPECT_EQ(client->last_headers(1), nullptr);
  EXPECT_EQ(answer(RawClient::request_fields(unary), empty_message, 3).field("grpc-status"), "0");
  greedy->send(RawClient::frame(NGHTTP2_DATA, 0, 1, std::string(100, 'x')));
  world.settle();
  ASSERT_NE(greedy->last_headers(1), nullptr);
  EXPECT_EQ(greedy->last_headers(1)->field("grpc-status"), "8");
  greedy->stream().close();
  world.settle();
}

TEST_F(Raw, what_handlers_work_on_counts_among_the_requests_until_their_calls_end) {
  connect({.buffered_bytes_max = 20'000});
  EchoRequest slow;
  slow.set_delay_ms(1'000);
  slow.set_text(std::string(10'000, 'x'));
  client->call(1, unary, slow.SerializeAsString());
  world.settle();
  EXPECT_EQ(world.echo.statistics().started(), 1U);
  EXPECT_EQ(answer(RawClient::request_fields(unary), RawClient::message(slow.SerializeAsString()), 3).field("grpc-status"), "8");
  world.advance(2s);
  ASSERT_NE(client->last_headers(1), nullptr);
  EXPECT_EQ(client->last_headers(1)->field("grpc-status"), "0");
  slow.clear_delay_ms();
  EXPECT_EQ(answer(RawClient::request_fields(unary), RawClient::message(slow.SerializeAsString()), 5).field("grpc-status"), "0");
}

TEST_F(Raw, calls_that_only_begin_count_among_the_requests_too) {
  connect({.buffered_bytes_max = 20'000});
  for (int stream = 1; stream < 40; stream += 2) send(client->headers(stream, RawClient::request_fields(unary)));
  const Frame* refused = client->last_headers(39);
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(refused->field("grpc-status"), "8");
  EXPECT_EQ(client->last_headers(1), nullptr);
}

TEST_F(Raw, replies_that_no_client_takes_are_limited_and_the_others_are_served) {
  connect({.replies_bytes_max = 1'000'000});
  EchoRequest request;
  request.set_replies(10);
  request.set_reply_bytes(200'000);
  for (int stream = 1; stream < 20; stream += 2) {
    client->call(stream, "/skerry.test.Echo/ServerStream", request.SerializeAsString());
    world.settle();
  }
  EXPECT_TRUE(client->last_headers(3)->field("grpc-status").empty());   // waits for its window
  const Frame* refused = client->last_headers(19);
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(refused->field("grpc-status"), "8");
  EXPECT_NE(refused->field("grpc-message").find("replies_bytes_max"), std::string::npos);
  EXPECT_LT(world.echo.statistics().messages_written(), 10U);
  auto greedy = std::move(client);
  reconnect();
  send(RawClient::preface());
  request.set_replies(1);
  client->call(1, "/skerry.test.Echo/ServerStream", request.SerializeAsString());
  world.settle();
  EXPECT_NE(client->find(NGHTTP2_DATA, 1), nullptr);
  greedy->stream().close();   // and what it held is free again
  world.settle();
  auto second = std::move(client);
  reconnect();
  send(RawClient::preface());
  request.set_replies(10);
  for (int stream = 1; stream < 8; stream += 2)
    client->call(stream, "/skerry.test.Echo/ServerStream", request.SerializeAsString());
  world.settle();
  EXPECT_EQ(client->find(NGHTTP2_RST_STREAM), nullptr);
  EXPECT_TRUE(client->last_headers(7)->field("grpc-status").empty());
  second->stream().close();
  world.settle();
}

TEST_F(Raw, a_client_that_takes_nothing_more_is_reset_where_it_had_begun_to_take) {
  connect({.replies_bytes_max = 100'000});
  EchoRequest request;
  request.set_replies(1'000);
  request.set_reply_bytes(30'000);   // three fit the queue of the stream
  client->call(1, "/skerry.test.Echo/ServerStream", request.SerializeAsString());
  client->call(3, "/skerry.test.Echo/ServerStream", request.SerializeAsString());
  world.settle();
  const Frame* reset = client->find(NGHTTP2_RST_STREAM, 3);
  ASSERT_NE(reset, nullptr);
  EXPECT_EQ(reset->payload.back(), NGHTTP2_ENHANCE_YOUR_CALM);
}

TEST_F(Raw, headers_above_the_limit_are_resource_exhausted) {
  connect({.header_list_bytes_max = 1000});
  Fields fields = RawClient::request_fields(unary);
  for (int i = 0; i < 20; ++i) fields.emplace_back("x-" + std::to_string(i), std::string(40, 'v'));
  const Frame trailers = answer(fields, empty_message);
  EXPECT_EQ(trailers.field("grpc-status"), "8");
  EXPECT_NE(trailers.field("grpc-message").find("header_list_bytes_max"), std::string::npos);
}

TEST_F(Raw, headers_far_above_the_limit_are_reset_and_not_looked_at) {
  connect({.header_list_bytes_max = 1000});
  Fields fields = RawClient::request_fields(unary);
  for (int i = 0; i < 2'000; ++i) fields.emplace_back("x", std::string(900, 'v'));   // a byte each in HPACK
  send(client->headers(1, fields));
  EXPECT_NE(client->find(NGHTTP2_RST_STREAM, 1), nullptr);
  EXPECT_EQ(answer(RawClient::request_fields(unary), empty_message, 3).field("grpc-status"), "0");
}

TEST_F(Raw, more_streams_than_allowed_are_refused) {
  connect({.streams_max = 2});
  for (int stream = 1; stream <= 5; stream += 2) send(client->headers(stream, RawClient::request_fields(unary)));
  const Frame* reset = client->find(NGHTTP2_RST_STREAM, 5);
  ASSERT_NE(reset, nullptr);
  EXPECT_EQ(reset->payload.back(), NGHTTP2_REFUSED_STREAM);
  EXPECT_EQ(client->find(NGHTTP2_RST_STREAM, 3), nullptr);
}

TEST_F(Raw, more_connections_than_allowed_are_turned_away_with_the_reason) {
  connect({.connections_max = 1});
  auto first = std::move(client);
  reconnect();
  world.settle();
  EXPECT_NE(goaway_text().find("limit of 1 connections (connections_max)"), std::string::npos) << goaway_text();
  EXPECT_TRUE(client->ended());
  EXPECT_FALSE(first->ended());
  first->stream().close();
  world.settle();
}

// A client that never returns a window: its server holds one window and one queue, not the whole stream.
TEST_F(Raw, a_client_that_takes_nothing_gets_one_window_s_worth) {
  connect();
  EchoRequest request;
  request.set_replies(1'000);
  request.set_reply_bytes(10'000);
  client->call(1, "/skerry.test.Echo/ServerStream", request.SerializeAsString());
  world.settle();
  std::size_t received = 0;
  for (const Frame& frame : client->frames()) received += frame.type == NGHTTP2_DATA ? frame.payload.size() : 0;
  EXPECT_EQ(received, 65'535U);
  EXPECT_LT(world.echo.statistics().messages_written(), 20U);
}

}  // namespace
}  // namespace skerry::rpc
