// SPDX-License-Identifier: Apache-2.0
// What a server answers to requests that are wrong, too large, too many or too fast, and how it stops.
#include "rpc/server.hpp"

#include <gtest/gtest.h>

#include "rpc/testing/raw_client.hpp"
#include "rpc/testing/world.hpp"

namespace skerry::rpc {
namespace {

using test::EchoReply;
using test::EchoRequest;
using test::Fields;
using test::Frame;
using test::RawClient;
using test::RpcWorld;

constexpr char unary[] = "/skerry.test.Echo/Unary";

struct Raw : ::testing::Test {
  RpcWorld world;
  std::unique_ptr<RawClient> client;

  void connect(ServerOptions options = {}) {
    world.serve(options);
    reconnect();
    send(RawClient::preface());
  }
  void reconnect() {
    world.tasks.spawn(open(world, client));
    world.settle();
    ASSERT_NE(client, nullptr);
    world.tasks.spawn(client->read_all());
  }
  static Task<> open(RpcWorld& world, std::unique_ptr<RawClient>& into) {
    auto stream = co_await world.client_side.connect(world.address, no_deadline);
    EXPECT_TRUE(stream);
    if (stream) into = std::make_unique<RawClient>(std::move(*stream));
  }
  void send(std::string_view bytes) {
    client->send(bytes);
    world.settle();
  }
  // Sends a request and returns the last HEADERS of its answer: the trailers.
  Frame answer(const Fields& fields, std::string_view body, int stream = 1) {
    const bool empty = body.empty();
    const int end = NGHTTP2_FLAG_END_STREAM;
    send(client->headers(stream, fields, NGHTTP2_FLAG_END_HEADERS | (empty ? end : 0)));
    if (!empty) send(RawClient::frame(NGHTTP2_DATA, end, stream, body));
    const Frame* found = client->last_headers(stream);
    EXPECT_NE(found, nullptr);
    return found != nullptr ? *found : Frame();
  }
  Frame answer_with(std::pair<std::string, std::string> changed, std::string_view body) {
    Fields fields = RawClient::request_fields(unary);
    std::erase_if(fields, [&](const auto& field) { return field.first == changed.first; });
    if (!changed.second.empty()) fields.push_back(std::move(changed));
    return answer(fields, body);
  }
  std::string goaway_text() const {
    const Frame* frame = client->find(NGHTTP2_GOAWAY);
    return frame != nullptr && frame->payload.size() > 8 ? frame->payload.substr(8) : "";
  }
  ~Raw() override {
    if (client) client->stream().close();
    world.settle();
  }
};

const std::string empty_message = RawClient::message("");

TEST_F(Raw, a_proper_request_is_answered_with_headers_data_and_trailers) {
  connect();
  const Frame trailers = answer(RawClient::request_fields(unary), RawClient::message("\x0A\x02hi"));
  EXPECT_EQ(trailers.field("grpc-status"), "0");
  EXPECT_TRUE(trailers.ends_stream());
  const Frame* headers = client->find(NGHTTP2_HEADERS, 1);
  EXPECT_EQ(headers->field(":status"), "200");
  EXPECT_EQ(headers->field("content-type"), "application/grpc");
  EXPECT_NE(client->find(NGHTTP2_DATA, 1), nullptr);
}

TEST_F(Raw, malformed_protobuf_is_invalid_argument_and_names_the_type) {
  connect();
  const Frame trailers = answer(RawClient::request_fields(unary), RawClient::message("\xFF\xFF\xFF"));
  EXPECT_EQ(trailers.field("grpc-status"), "3");
  EXPECT_NE(trailers.field("grpc-message").find("not a skerry.test.EchoRequest"), std::string::npos)
      << trailers.field("grpc-message");
}

TEST_F(Raw, invalid_utf8_is_invalid_argument_and_names_the_field) {
  connect();
  const Frame trailers = answer(RawClient::request_fields(unary), RawClient::message("\x0A\x02\xC3\x28"));
  EXPECT_EQ(trailers.field("grpc-status"), "3");
  EXPECT_NE(trailers.field("grpc-message").find("skerry.test.EchoRequest.text is not valid UTF-8"), std::string::npos)
      << trailers.field("grpc-message");
}

TEST_F(Raw, another_content_type_is_http_415) {
  connect();
  EXPECT_EQ(answer_with({"content-type", "application/json"}, empty_message).field(":status"), "415");
}

TEST_F(Raw, a_missing_content_type_is_http_415) {
  connect();
  EXPECT_EQ(answer_with({"content-type", ""}, empty_message).field(":status"), "415");
}

TEST_F(Raw, another_method_than_post_is_http_405) {
  connect();
  Fields fields = RawClient::request_fields(unary);
  fields[0].second = "GET";
  EXPECT_EQ(answer(fields, "").field(":status"), "405");
}

TEST_F(Raw, a_request_without_te_trailers_is_refused_with_the_reason) {
  connect();
  const Frame trailers = answer_with({"te", ""}, empty_message);
  EXPECT_EQ(trailers.field("grpc-status"), "13");
  EXPECT_NE(trailers.field("grpc-message").find("te: trailers"), std::string::npos);
}

TEST_F(Raw, compressed_messages_are_unimplemented_and_told_what_is_accepted) {
  connect();
  const Frame trailers = answer_with({"grpc-encoding", "gzip"}, std::string("\1\0\0\0\0", 5));
  EXPECT_EQ(trailers.field("grpc-status"), "12");
  EXPECT_EQ(trailers.field("grpc-accept-encoding"), "identity");
}

TEST_F(Raw, identity_encoding_is_accepted) {
  connect();
  EXPECT_EQ(answer_with({"grpc-encoding", "identity"}, empty_message).field("grpc-status"), "0");
}

TEST_F(Raw, a_compressed_flag_without_encoding_is_internal) {
  connect();
  EXPECT_EQ(answer(RawClient::request_fields(unary), std::string("\1\0\0\0\0", 5)).field("grpc-status"), "13");
}

TEST_F(Raw, a_malformed_timeout_is_invalid_argument) {
  connect();
  const Frame trailers = answer_with({"grpc-timeout", "soon"}, empty_message);
  EXPECT_EQ(trailers.field("grpc-status"), "3");
  EXPECT_NE(trailers.field("grpc-message").find("grpc-timeout"), std::string::npos);
}

TEST_F(Raw, a_binary_header_that_is_not_base64_is_invalid_argument) {
  connect();
  EXPECT_EQ(answer_with({"blob-bin", "!!"}, empty_message).field("grpc-status"), "3");
}

TEST_F(Raw, a_request_that_ends_inside_a_message_is_internal) {
  connect();
  EXPECT_EQ(answer(RawClient::request_fields(unary), std::string_view("\0\0\0\0\5x", 6)).field("grpc-status"), "13");
}

TEST_F(Raw, a_unary_call_without_or_with_two_messages_is_unimplemented) {
  connect();
  EXPECT_EQ(answer(RawClient::request_fields(unary), "").field("grpc-status"), "12");
  EXPECT_EQ(answer(RawClient::request_fields(unary), empty_message + empty_message, 3).field("grpc-status"), "12");
  EXPECT_EQ(world.echo.statistics().started(), 0U);
}

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

TEST(Server, stop_lets_running_calls_end_and_takes_no_new_ones) {
  RpcWorld world;
  world.start();
  EchoRequest slow;
  slow.set_delay_ms(500);
  RpcWorld::Outcome running, late;
  world.call(running, slow, world.within(10s));
  world.settle();
  struct Test {
    static Task<> stop(RpcWorld& self, bool& stopped) {
      co_await self.server->stop(self.core.now() + 5s);
      stopped = true;
    }
  };
  bool stopped = false;
  world.tasks.spawn(Test::stop(world, stopped));
  world.advance(100ms);
  EXPECT_FALSE(stopped);
  world.call(late, {}, world.within(10s));
  world.advance(100ms);
  EXPECT_EQ(late.status.code, Code::unavailable) << late.status.message;
  EXPECT_FALSE(running.ended);
  world.advance(400ms);
  EXPECT_TRUE(running.status.ok()) << running.status.message;
  EXPECT_TRUE(stopped);
  world.server.reset();
}

TEST(Server, stop_cuts_calls_that_outlast_its_deadline) {
  RpcWorld world;
  world.start();
  EchoRequest slow;
  slow.set_delay_ms(60'000);
  RpcWorld::Outcome running;
  world.call(running, slow, world.within(100s));
  world.settle();
  world.run(world.server->stop(world.core.now() + 2s));
  world.settle();
  EXPECT_EQ(running.status.code, Code::unavailable);
  EXPECT_NE(running.status.message.find("stopping"), std::string::npos) << running.status.message;
  EXPECT_EQ(world.echo.statistics().cancelled(), 1U);
  world.server.reset();
}

struct CountingStats final : MethodStats, MethodObserver {
  int started = 0, failed = 0, ended = 0;
  Duration latency{0};
  MethodObserver* observer(std::string_view method) override { return method == unary ? this : nullptr; }
  void on_start() override { ++started; }
  void on_end(Code code, Duration took) override {
    ++ended;
    failed += code != Code::ok;
    latency += took;
  }
};

TEST(Server, every_call_of_a_method_is_observed_with_its_code_and_latency) {
  RpcWorld world;
  CountingStats stats;
  ServerOptions options;
  options.stats = &stats;
  world.serve(options);
  world.open();
  EchoRequest slow;
  slow.set_delay_ms(50);
  EXPECT_TRUE(world.call_and_wait(slow).status.ok());
  slow.set_delay_ms(5'000);
  EXPECT_EQ(world.call_and_wait(slow, 100ms).status.code, Code::deadline_exceeded);
  world.settle();
  EXPECT_EQ(stats.started, 2);
  EXPECT_EQ(stats.ended, 2);
  EXPECT_EQ(stats.failed, 1);
  EXPECT_EQ(stats.latency, 150ms);
}

TEST(Methods, registration_is_checked_against_the_service_s_description) {
  const auto& service = *EchoReply::descriptor()->file()->FindServiceByName("Echo");
  Methods missing;
  EXPECT_NE(missing.check(service).error().text.find("is not registered"), std::string::npos);

  ManualClock clock;
  Core core(CoreId{0}, clock, 1);
  test::EchoService echo(core);
  Methods methods;
  echo.add_to(methods);
  EXPECT_TRUE(methods.check(service));
  EXPECT_NE(methods.find("/skerry.test.alias.Echo/Unary"), nullptr);
  EXPECT_EQ(methods.find("/skerry.test.alias.Echo/None"), nullptr);

  methods.unary<EchoRequest, EchoReply>("/skerry.test.Echo/Extra", nullptr);
  EXPECT_NE(methods.check(service).error().text.find("has no such method"), std::string::npos);

  Methods wrong_kind;
  wrong_kind.server_stream<EchoRequest, EchoReply>("/skerry.test.Echo/Unary", nullptr);
  EXPECT_NE(wrong_kind.check(service).error().text.find("another kind of streaming"), std::string::npos);

  Methods wrong_type;
  wrong_type.unary<EchoReply, EchoReply>("/skerry.test.Echo/Unary", nullptr);
  EXPECT_NE(wrong_type.check(service).error().text.find("takes skerry.test.EchoRequest"), std::string::npos);
}

}  // namespace
}  // namespace skerry::rpc
