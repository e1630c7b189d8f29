// SPDX-License-Identifier: Apache-2.0
// What a server tells of its connections and calls: figures, and spans.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rpc/call_span.hpp"
#include "rpc/testing/world.hpp"
#include "runtime/tracing.hpp"

namespace skerry::rpc {
namespace {

using test::EchoReply;
using test::EchoRequest;
using test::RpcWorld;
using ::testing::HasSubstr;

struct OneMethod final : MethodStats, MethodObserver {
  MethodObserver* observer(std::string_view method) override {
    return method == "/skerry.test.Echo/ServerStream" ? this : nullptr;
  }
  void on_start() override {}
  void on_end(Code, Duration) override {}
};

Task<> read_stream(RpcWorld& world, EchoRequest request, Duration pause) {
  auto call = co_await world.channel->open("/skerry.test.Echo/ServerStream", world.within(1h));
  EXPECT_TRUE(call);
  EXPECT_TRUE(co_await (*call)->write(request));
  EXPECT_TRUE(co_await (*call)->finish_writing());
  co_await world.core.sleep_for(pause);
  EchoReply reply;
  while ((co_await (*call)->read(reply)).value_or(false)) {}
  EXPECT_TRUE((co_await (*call)->finish()).ok());
}

EchoRequest replies_of(std::uint32_t count, std::uint32_t bytes) {
  EchoRequest request;
  request.set_replies(count);
  request.set_reply_bytes(bytes);
  return request;
}

Task<> break_off(RpcWorld& world) {
  auto call = co_await world.channel->open("/skerry.test.Echo/Bidirectional", world.within(1h));
  EXPECT_TRUE(call);
  EXPECT_TRUE(co_await (*call)->write(EchoRequest()));
  co_await world.core.sleep_for(1s);
  (*call)->cancel();
}

TEST(Traffic, a_call_that_its_client_breaks_off_is_no_failure) {
  RpcWorld world;
  world.start();
  world.run(break_off(world));
  world.settle();
  const Traffic traffic = world.server->connections().at(0).traffic;
  EXPECT_EQ(traffic.streams, 1U);
  EXPECT_EQ(traffic.streams_failed, 0U);
}

TEST(Traffic, streams_messages_and_bytes_are_counted_by_connection_and_by_method) {
  OneMethod stats;
  RpcWorld world;
  world.serve({.stats = &stats});
  world.open();
  world.run(read_stream(world, replies_of(20, 1000), 0s));
  EXPECT_EQ(world.call_and_wait({}, 1s, "Nothing").status.code, Code::unimplemented);
  const auto connections = world.server->connections();
  ASSERT_EQ(connections.size(), 1U);
  const Traffic& traffic = connections[0].traffic;
  EXPECT_EQ(connections[0].id, 1U);
  EXPECT_EQ(connections[0].peer.host, "client");
  EXPECT_EQ(traffic.streams, 2U);
  EXPECT_EQ(traffic.streams_failed, 1U);
  EXPECT_EQ(traffic.messages_received, 1U);
  EXPECT_EQ(traffic.messages_sent, 20U);
  EXPECT_GT(traffic.bytes_sent, 20'000U);
  EXPECT_LT(traffic.bytes_sent, 25'000U);
  EXPECT_GT(traffic.bytes_received, 50U);
  EXPECT_EQ(stats.messages.sent, 20U);
  EXPECT_GE(stats.messages.bytes_sent, 20'000U);
  EXPECT_EQ(stats.messages.received, 1U);
  EXPECT_EQ(traffic.stalls_of_stream + traffic.stalls_of_connection + traffic.stalls_of_client, 0U);
}

TEST(Traffic, what_an_ended_connection_did_stays_in_the_sum) {
  RpcWorld world;
  world.start();
  world.run(read_stream(world, replies_of(5, 10), 0s));
  world.run(world.channel->stop());
  world.settle();
  const ServerFigures figures = world.server->figures();
  EXPECT_TRUE(world.server->connections().empty());
  EXPECT_EQ(figures.connections_accepted, 1U);
  EXPECT_EQ(figures.connections_open, 0U);
  EXPECT_EQ(figures.traffic.messages_sent, 5U);
  world.channel.reset();
}

TEST(Traffic, a_refused_connection_is_counted) {
  RpcWorld world;
  world.serve({.connections_max = 0});
  world.open();
  EXPECT_FALSE(world.call_and_wait({}, 1s).status.ok());
  EXPECT_GE(world.server->figures().connections_refused, 1U);
}

TEST(Traffic, a_client_that_reads_late_stalls_its_stream) {
  RpcWorld world;
  world.start();
  world.run(read_stream(world, replies_of(100, 64 << 10), 5s));
  const auto connections = world.server->connections();
  ASSERT_EQ(connections.size(), 1U);
  EXPECT_GE(connections[0].traffic.stalls_of_stream, 1U);
  EXPECT_LT(connections[0].traffic.stalls_of_stream, 100U);
}

TEST(Traffic, a_slow_handler_stalls_its_client) {
  RpcWorld world;
  world.start();
  struct Test {
    static Task<> run(RpcWorld& self) {
      auto call = co_await self.channel->open("/skerry.test.Echo/SlowReader", self.within(1h));
      EXPECT_TRUE(call);
      EchoRequest request;
      request.set_delay_ms(1'000);
      request.set_payload(std::string(64 << 10, 'p'));
      for (int i = 0; i < 40; ++i) EXPECT_TRUE(co_await (*call)->write(request));
      EXPECT_TRUE(co_await (*call)->finish_writing());
      EXPECT_TRUE((co_await (*call)->finish()).ok());
    }
  };
  world.run(Test::run(world));
  EXPECT_GE(world.server->figures().traffic.stalls_of_client, 1U);
}

std::string attribute(const Span& span, std::string_view name) {
  for (const SpanAttribute& each : span.attributes) {
    if (each.name != name) continue;
    const auto* number = std::get_if<std::int64_t>(&each.value);
    return number != nullptr ? std::to_string(*number) : std::get<std::string>(each.value);
  }
  return "none";
}

const std::string trace = "4bf92f3577b34da6a3ce929d0e0e4736";

struct Traced : ::testing::Test {
  Tracer tracer{1, {.ratio = 0}};
  RpcWorld world;

  Traced() {
    world.serve({.tracer = &tracer});
    world.open();
  }
  Status call(EchoRequest request, const std::string& traceparent, Duration time = 10s) {
    RpcWorld::Outcome outcome;
    CallOptions options = world.within(time);
    if (!traceparent.empty()) add_trace(options.metadata, *parse_traceparent(traceparent, "v=1"));
    world.call(outcome, std::move(request), std::move(options));
    world.advance(time);
    return outcome.status;
  }
};

TEST_F(Traced, a_call_is_a_part_of_its_caller_s_trace) {
  EchoRequest request;
  request.set_delay_ms(40);
  EXPECT_TRUE(call(request, "00-" + trace + "-00f067aa0ba902b7-01").ok());
  const auto spans = tracer.take(9);
  ASSERT_EQ(spans.size(), 1U);
  EXPECT_EQ(spans[0].context.trace_text(), trace);
  EXPECT_EQ(spans[0].context.state, "v=1");
  EXPECT_EQ(hex_text(spans[0].parent), "00f067aa0ba902b7");
  EXPECT_EQ(spans[0].name, "skerry.test.Echo/Unary");
  EXPECT_EQ(spans[0].kind, Span::Kind::server);
  EXPECT_EQ(spans[0].end - spans[0].begin, 40ms);
  EXPECT_EQ(attribute(spans[0], "rpc.method"), "Unary");
  EXPECT_EQ(attribute(spans[0], "rpc.grpc.status_code"), "0");
  EXPECT_EQ(attribute(spans[0], "network.peer.address"), "client");
  EXPECT_FALSE(spans[0].failure);
}

TEST_F(Traced, nothing_is_recorded_without_a_flag_or_a_share) {
  EXPECT_TRUE(call({}, "").ok());
  EXPECT_TRUE(call({}, "00-" + trace + "-00f067aa0ba902b7-00").ok());
  EXPECT_EQ(tracer.waiting(), 0U);
}

TEST_F(Traced, how_a_call_failed_is_told_and_whose_fault_it_was) {
  const std::string parent = "00-" + trace + "-00f067aa0ba902b7-01";
  EchoRequest request;
  request.set_status_code(static_cast<unsigned>(Code::not_found));
  EXPECT_EQ(call(request, parent).code, Code::not_found);
  request.set_status_code(static_cast<unsigned>(Code::internal));
  request.set_status_message("broken");
  EXPECT_EQ(call(request, parent).code, Code::internal);
  EchoRequest slow;
  slow.set_delay_ms(60'000);
  EXPECT_EQ(call(slow, parent, 100ms).code, Code::deadline_exceeded);
  const auto spans = tracer.take(9);
  ASSERT_EQ(spans.size(), 3U);
  EXPECT_EQ(attribute(spans[0], "rpc.grpc.status_code"), "5");
  EXPECT_FALSE(spans[0].failure);   // the client's
  EXPECT_THAT(spans[1].failure.value_or(""), HasSubstr("broken"));
  EXPECT_THAT(spans[2].failure.value_or(""), HasSubstr("DEADLINE_EXCEEDED"));
}

}  // namespace
}  // namespace skerry::rpc
