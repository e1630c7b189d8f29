// SPDX-License-Identifier: Apache-2.0
// What a server answers to requests that are right and wrong, and how it stops.
#include "rpc/server.hpp"

#include <gtest/gtest.h>

#include "rpc/testing/raw_fixture.hpp"

namespace skerry::rpc {
namespace {

using test::EchoReply;
using test::EchoRequest;
using test::Fields;
using test::Frame;
using test::Raw;
using test::RawClient;
using test::RpcWorld;

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
  MethodObserver* observer(std::string_view method) override { return method == Raw::unary ? this : nullptr; }
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
