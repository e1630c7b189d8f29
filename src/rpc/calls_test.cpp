// SPDX-License-Identifier: Apache-2.0
// Our client against our server: every kind of call, how calls end, and back-pressure.
#include <gtest/gtest.h>

#include "health/health.pb.h"
#include "rpc/testing/world.hpp"

namespace skerry::rpc {
namespace {

using test::EchoReply;
using test::EchoRequest;
using test::RpcWorld;

const std::string echo = "/skerry.test.Echo/";

EchoRequest request_of(std::string text) {
  EchoRequest request;
  request.set_text(std::move(text));
  return request;
}

TEST(Calls, a_unary_call_brings_its_reply) {
  RpcWorld world;
  world.start();
  const auto outcome = world.call_and_wait(request_of("hello"));
  EXPECT_TRUE(outcome.status.ok()) << outcome.status.message;
  EXPECT_EQ(outcome.reply.text(), "hello");
  EXPECT_TRUE(outcome.reply.has_deadline());
}

TEST(Calls, an_alias_of_a_service_is_answered_by_the_same_handlers) {
  RpcWorld world;
  world.start();
  struct Test {
    static Task<> run(RpcWorld& self) {
      EchoReply reply;
      const Status status =
          co_await self.channel->unary("/skerry.test.alias.Echo/Unary", request_of("x"), reply, self.within(1s));
      EXPECT_TRUE(status.ok()) << status.message;
      EXPECT_EQ(reply.text(), "x");
    }
  };
  world.run(Test::run(world));
}

TEST(Calls, metadata_reaches_the_handler_binary_values_as_plain_bytes) {
  RpcWorld world;
  world.start();
  struct Test {
    static Task<> run(RpcWorld& self) {
      CallOptions options = self.within(1s);
      options.metadata.add("shard-id", "7");
      options.metadata.add("blob-bin", std::string("\0\xFE", 2));
      EchoReply reply;
      const Status status = co_await self.channel->unary(echo + "Unary", request_of("x"), reply, std::move(options));
      EXPECT_TRUE(status.ok());
      EXPECT_EQ(reply.metadata().at("shard-id"), "7");
      EXPECT_EQ(reply.metadata().at("blob-bin"), std::string("\0\xFE", 2));
      EXPECT_FALSE(reply.metadata().contains("grpc-timeout"));
      EXPECT_FALSE(reply.metadata().contains("te"));
    }
  };
  world.run(Test::run(world));
}

TEST(Calls, a_failing_handler_s_status_arrives_with_its_text_and_details) {
  RpcWorld world;
  world.start();
  EchoRequest request;
  request.set_status_code(static_cast<unsigned>(Code::failed_precondition));
  request.set_status_message("100% wrong: né");
  request.set_error_reason("INVALID_TERM");
  const auto outcome = world.call_and_wait(request);
  EXPECT_EQ(outcome.status.code, Code::failed_precondition);
  EXPECT_EQ(outcome.status.message, "100% wrong: né");
  ASSERT_TRUE(outcome.status.info());
  EXPECT_EQ(outcome.status.info()->reason, "INVALID_TERM");
}

TEST(Calls, an_unknown_method_is_unimplemented_and_named) {
  RpcWorld world;
  world.start();
  const auto outcome = world.call_and_wait({}, 1s, "Nothing");
  EXPECT_EQ(outcome.status.code, Code::unimplemented);
  EXPECT_NE(outcome.status.message.find("/skerry.test.Echo/Nothing"), std::string::npos) << outcome.status.message;
}

Task<> read_server_stream(RpcWorld& world, EchoRequest request, std::uint32_t expected) {
  auto call = co_await world.channel->open(echo + "ServerStream", world.within(60s));
  EXPECT_TRUE(call);
  EXPECT_TRUE(co_await (*call)->write(request));
  EXPECT_TRUE(co_await (*call)->finish_writing());
  EchoReply reply;
  std::uint32_t count = 0;
  while (true) {
    const auto more = co_await (*call)->read(reply);
    EXPECT_TRUE(more);
    if (!more || !*more) break;
    EXPECT_EQ(reply.index(), count++);
  }
  EXPECT_EQ(count, expected);
  const Status status = co_await (*call)->finish();
  EXPECT_TRUE(status.ok()) << status.message;
}

TEST(Calls, a_server_stream_brings_every_reply_in_order) {
  RpcWorld world;
  world.start();
  for (const std::uint32_t replies : {0U, 1U, 5'000U}) {
    EchoRequest request = request_of("s");
    request.set_replies(replies);
    request.set_reply_bytes(300);
    world.run(read_server_stream(world, request, replies));
  }
}

TEST(Calls, a_client_stream_gathers_every_request) {
  RpcWorld world;
  world.start();
  struct Test {
    static Task<> run(RpcWorld& self) {
      auto call = co_await self.channel->open(echo + "ClientStream", self.within(60s));
      EXPECT_TRUE(call);
      for (int i = 0; i < 1000; ++i) EXPECT_TRUE(co_await (*call)->write(request_of("x")));
      EXPECT_TRUE(co_await (*call)->finish_writing());
      EchoReply reply;
      const auto read = co_await (*call)->read(reply);
      EXPECT_TRUE(read && *read);
      EXPECT_EQ(reply.index(), 1000U);
      EXPECT_EQ(reply.text().size(), 1000U);
      EXPECT_FALSE((co_await (*call)->read(reply)).value_or(true));
      EXPECT_TRUE((co_await (*call)->finish()).ok());
    }
  };
  world.run(Test::run(world));
}

TEST(Calls, a_bidirectional_call_answers_each_request_while_both_sides_are_open) {
  RpcWorld world;
  world.start();
  struct Test {
    static Task<> run(RpcWorld& self) {
      auto call = co_await self.channel->open(echo + "Bidirectional", self.within(60s));
      EXPECT_TRUE(call);
      EchoReply reply;
      for (std::uint32_t i = 0; i < 100; ++i) {
        EXPECT_TRUE(co_await (*call)->write(request_of(std::to_string(i))));
        const auto read = co_await (*call)->read(reply);
        EXPECT_TRUE(read && *read);
        EXPECT_EQ(reply.text(), std::to_string(i));
      }
      EXPECT_TRUE(co_await (*call)->finish_writing());
      EXPECT_FALSE((co_await (*call)->read(reply)).value_or(true));
      EXPECT_TRUE((co_await (*call)->finish()).ok());
    }
  };
  world.run(Test::run(world));
}

TEST(Calls, many_calls_share_one_connection) {
  RpcWorld world;
  world.start();
  std::vector<RpcWorld::Outcome> outcomes(3'000);   // more than a connection may have at a time
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    EchoRequest request = request_of(std::to_string(i));
    request.set_delay_ms(static_cast<unsigned>(i % 7));
    world.call(outcomes[i], request, world.within(10s));
  }
  world.advance(5s);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    ASSERT_TRUE(outcomes[i].status.ok()) << outcomes[i].status.message;
    ASSERT_EQ(outcomes[i].reply.text(), std::to_string(i));
  }
}

TEST(Calls, messages_larger_than_every_window_pass_in_both_directions) {
  RpcWorld world;
  world.start();
  EchoRequest request;
  request.set_payload(std::string(20 << 20, 'p'));
  const auto outcome = world.call_and_wait(request, 60s);
  EXPECT_TRUE(outcome.status.ok()) << outcome.status.message;
  EXPECT_EQ(outcome.reply.payload(), request.payload());
}

TEST(Calls, a_passed_deadline_ends_the_call_and_cancels_its_handler) {
  RpcWorld world;
  world.start();
  EchoRequest request;
  request.set_delay_ms(60'000);
  const auto outcome = world.call_and_wait(request, 200ms);
  EXPECT_EQ(outcome.status.code, Code::deadline_exceeded);
  world.settle();
  EXPECT_EQ(world.echo.statistics().started(), 1U);
  EXPECT_EQ(world.echo.statistics().cancelled(), 1U);
}

// The client's clock says nothing here: the server alone enforces what grpc-timeout asked for.
TEST(Calls, a_server_enforces_the_deadline_when_the_client_cannot_be_heard) {
  RpcWorld world;
  world.start();
  EchoRequest request;
  request.set_delay_ms(60'000);
  RpcWorld::Outcome outcome;
  world.call(outcome, request, world.within(1s));
  world.settle();
  world.fabric.cut("client", "server");
  world.advance(2s);
  EXPECT_EQ(world.echo.statistics().cancelled(), 1U);
  EXPECT_EQ(outcome.status.code, Code::deadline_exceeded);
  world.fabric.heal("client", "server");
}

TEST(Calls, cancelling_a_call_cancels_its_handler) {
  RpcWorld world;
  world.start();
  struct Test {
    static Task<> run(RpcWorld& self) {
      auto call = co_await self.channel->open(echo + "Bidirectional", self.within(60s));
      EXPECT_TRUE(call);
      EchoReply reply;
      EXPECT_TRUE(co_await (*call)->write(request_of("x")));
      EXPECT_TRUE((co_await (*call)->read(reply)).value_or(false));
      (*call)->cancel();
      const Status status = co_await (*call)->finish();
      EXPECT_EQ(status.code, Code::cancelled);
      EXPECT_FALSE(co_await (*call)->write(request_of("y")));
    }
  };
  world.run(Test::run(world));
  EXPECT_EQ(world.echo.statistics().cancelled(), 1U);
}

TEST(Calls, dropping_a_call_cancels_its_handler) {
  RpcWorld world;
  world.start();
  struct Test {
    static Task<> run(RpcWorld& self) {
      auto call = co_await self.channel->open(echo + "Bidirectional", self.within(60s));
      EXPECT_TRUE(call);
      EXPECT_TRUE(co_await (*call)->write(request_of("x")));
      EchoReply reply;
      EXPECT_TRUE((co_await (*call)->read(reply)).value_or(false));
    }
  };
  world.run(Test::run(world));
  EXPECT_EQ(world.echo.statistics().started(), 1U);
  EXPECT_EQ(world.echo.statistics().cancelled(), 1U);
}

TEST(Calls, a_slow_handler_stops_the_client_s_writes) {
  RpcWorld world;
  world.start();
  struct Test {
    static Task<> run(RpcWorld& self, std::uint32_t& written) {
      auto call = co_await self.channel->open(echo + "SlowReader", self.within(1h));
      EXPECT_TRUE(call);
      EchoRequest request;
      request.set_delay_ms(1'000);
      request.set_payload(std::string(64 << 10, 'p'));
      for (; written < 200; ++written) EXPECT_TRUE(co_await (*call)->write(request));
      EXPECT_TRUE(co_await (*call)->finish_writing());
      EXPECT_TRUE((co_await (*call)->finish()).ok());
    }
  };
  std::uint32_t written = 0;
  world.tasks.spawn(Test::run(world, written));
  world.advance(500ms);
  EXPECT_LT(written, 30U);   // a window and the queues, not the whole 12 MiB
  EXPECT_EQ(world.echo.statistics().messages_read(), 1U);
  world.advance(300s);
  EXPECT_EQ(written, 200U);
  EXPECT_EQ(world.echo.statistics().messages_read(), 200U);
  EXPECT_EQ(world.tasks.size(), 0U);
}

TEST(Calls, a_slow_client_stops_the_handler_s_writes) {
  RpcWorld world;
  world.start();
  struct Test {
    static Task<> run(RpcWorld& self, bool& go_on) {
      auto call = co_await self.channel->open(echo + "ServerStream", self.within(1h));
      EXPECT_TRUE(call);
      EchoRequest request;
      request.set_replies(500);
      request.set_reply_bytes(64 << 10);
      EXPECT_TRUE(co_await (*call)->write(request));
      EXPECT_TRUE(co_await (*call)->finish_writing());
      EchoReply reply;
      EXPECT_TRUE((co_await (*call)->read(reply)).value_or(false));
      while (!go_on) co_await self.core.sleep_for(10ms);
      int count = 1;
      while ((co_await (*call)->read(reply)).value_or(false)) ++count;
      EXPECT_EQ(count, 500);
      EXPECT_TRUE((co_await (*call)->finish()).ok());
    }
  };
  bool go_on = false;
  world.tasks.spawn(Test::run(world, go_on));
  world.advance(10s);
  EXPECT_LT(world.echo.statistics().messages_written(), 60U);
  go_on = true;
  world.advance(1s);
  EXPECT_EQ(world.echo.statistics().messages_written(), 500U);
  EXPECT_EQ(world.tasks.size(), 0U);
}

// One stream that is not read must not hold up the others on its connection.
TEST(Calls, a_stalled_stream_leaves_the_others_of_its_connection_alone) {
  RpcWorld world;
  world.start();
  struct Test {
    static Task<> run(RpcWorld& self) {
      std::vector<std::unique_ptr<ClientCall>> stalled;
      for (int i = 0; i < 20; ++i) {   // 20 windows of 1 MiB: more than the connection's
        auto call = co_await self.channel->open(echo + "ServerStream", self.within(1h));
        EXPECT_TRUE(call);
        EchoRequest request;
        request.set_replies(100);
        request.set_reply_bytes(64 << 10);
        EXPECT_TRUE(co_await (*call)->write(request));
        stalled.push_back(std::move(*call));
      }
      co_await self.core.sleep_for(1s);
      EchoReply reply;
      const Status status = co_await self.channel->unary(echo + "Unary", request_of("x"), reply, self.within(1s));
      EXPECT_TRUE(status.ok()) << status.message;
    }
  };
  world.run(Test::run(world));
}

TEST(Calls, health_is_checked_and_watched) {
  RpcWorld world;
  world.start();
  world.health.set("", Health::Serving::yes);
  world.health.set("oxia-readiness", Health::Serving::no);
  struct Test {
    static Task<> run(RpcWorld& self) {
      co_await check(self, "", Code::ok, 1);
      co_await check(self, "oxia-readiness", Code::ok, 2);
      co_await check(self, "other", Code::not_found, 0);
    }
    static Task<> check(RpcWorld& self, std::string service, Code code, int serving) {
      grpc::health::v1::HealthCheckRequest request;
      request.set_service(std::move(service));
      grpc::health::v1::HealthCheckResponse response;
      const Status status = co_await self.channel->unary("/grpc.health.v1.Health/Check", request, response, self.within(1s));
      EXPECT_EQ(status.code, code) << status.message;
      EXPECT_EQ(static_cast<int>(response.status()), serving);
    }
  };
  world.run(Test::run(world));
}

TEST(Calls, watching_health_tells_of_every_change) {
  using grpc::health::v1::HealthCheckResponse;
  RpcWorld world;
  world.start();
  struct Test {
    static Task<> run(RpcWorld& self, std::vector<int>& seen) {
      auto call = co_await self.channel->open("/grpc.health.v1.Health/Watch", self.within(1h));
      EXPECT_TRUE(call);
      grpc::health::v1::HealthCheckRequest request;
      request.set_service("oxia-readiness");
      EXPECT_TRUE(co_await (*call)->write(request));
      EXPECT_TRUE(co_await (*call)->finish_writing());
      HealthCheckResponse response;
      while ((co_await (*call)->read(response)).value_or(false)) seen.push_back(response.status());
    }
  };
  std::vector<int> seen;
  world.tasks.spawn(Test::run(world, seen));
  world.settle();
  world.health.set("other", Health::Serving::yes);
  world.settle();
  world.health.set("oxia-readiness", Health::Serving::no);
  world.settle();
  world.health.set("oxia-readiness", Health::Serving::yes);
  world.settle();
  EXPECT_EQ(seen, (std::vector<int>{HealthCheckResponse::SERVICE_UNKNOWN, HealthCheckResponse::NOT_SERVING,
                                    HealthCheckResponse::SERVING}));
}

}  // namespace
}  // namespace skerry::rpc
