// SPDX-License-Identifier: Apache-2.0
#include "node/tracing_options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/rpc_figures.hpp"

namespace skerry::node {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Environment = std::vector<std::string>;

TEST(TracingOptions, are_off_unless_somebody_names_a_collector) {
  EXPECT_FALSE(tracing_options({}, {})->endpoint);
  EXPECT_FALSE(tracing_options({}, {"OTEL_SERVICE_NAME=x"})->endpoint);
  const Environment named{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318", "OTEL_SDK_DISABLED=true"};
  EXPECT_FALSE(tracing_options({}, named)->endpoint);
  EXPECT_FALSE(tracing_options({.endpoint = "none"}, {named[0]})->endpoint);
  EXPECT_TRUE(tracing_options({}, {named[0]})->endpoint);
}

TEST(TracingOptions, the_setting_wins_over_the_variable_for_traces_over_the_one_for_all) {
  Environment environment{"OTEL_EXPORTER_OTLP_ENDPOINT=http://all:4318/"};
  EXPECT_EQ(tracing_options({}, environment)->endpoint->text(), "http://all:4318/v1/traces");
  environment.emplace_back("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=https://traces/own");
  EXPECT_EQ(tracing_options({}, environment)->endpoint->text(), "https://traces:443/own");
  EXPECT_EQ(tracing_options({.endpoint = "http://set:1"}, environment)->endpoint->text(), "http://set:1/v1/traces");
}

TEST(TracingOptions, headers_and_attributes_are_lists_of_pairs) {
  const auto options = tracing_options(
      {.endpoint = "http://c:1"}, {"OTEL_EXPORTER_OTLP_HEADERS=api-key=a%20b, x=1,", "OTEL_RESOURCE_ATTRIBUTES=host.name=h"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->headers, (std::vector<std::pair<std::string, std::string>>{{"api-key", "a b"}, {"x", "1"}}));
  EXPECT_EQ(options->resource, (ResourceAttributes{{"host.name", "h"}, {"service.name", "skerry"}}));
  EXPECT_EQ(tracing_options({.endpoint = "http://c:1"}, {"OTEL_SERVICE_NAME=mine"})->resource,
            (ResourceAttributes{{"service.name", "mine"}}));
}

TEST(TracingOptions, what_is_wrong_is_named) {
  for (const std::string url : {"c:4318", "ftp://c", "http://", "http://c:x", "http://c:0", "http://c/a b"}) {
    const auto options = tracing_options({}, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=" + url});
    ASSERT_FALSE(options) << url;
    EXPECT_THAT(options.error().message(), HasSubstr("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")) << url;
  }
  for (const std::string headers : {"nothing", "=x", "a=b%0d%0aInjected: x", "a b=c"}) {
    EXPECT_FALSE(tracing_options({.endpoint = "http://c"}, {"OTEL_EXPORTER_OTLP_HEADERS=" + headers})) << headers;
  }
}

TEST(OtlpJson, has_ids_times_kinds_attributes_and_failures) {
  const ClockAnchor anchor{TimePoint{1h}, WallTime{std::chrono::milliseconds(1'700'000'000'000)}};
  Span span{.context = *parse_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "v=\"1"),
            .parent = 7,
            .name = "Write",
            .kind = Span::Kind::server,
            .begin = TimePoint{1h} - 2ms,
            .end = TimePoint{1h} + 1ns};
  span.set("shard", std::int64_t{3});
  span.set("peer", "a\"b");
  Span root = span;
  root.parent = 0;
  root.failure = "broken";
  const std::string json = otlp_json({span, root}, {{"service.name", "s"}}, anchor);
  EXPECT_THAT(json, HasSubstr(R"({"key":"service.name","value":{"stringValue":"s"}})"));
  EXPECT_THAT(json, HasSubstr(R"({"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7",)"
                              R"("parentSpanId":"0000000000000007","traceState":"v=\"1","name":"Write","kind":2,)"
                              R"("startTimeUnixNano":"1699999999998000000","endTimeUnixNano":"1700000000000000001",)"
                              R"("attributes":[{"key":"shard","value":{"intValue":"3"}},)"
                              R"({"key":"peer","value":{"stringValue":"a\"b"}}]},)"));
  EXPECT_THAT(json, HasSubstr(R"(,"status":{"code":2,"message":"broken"}})"));
}

TEST(ConnectionsJson, shows_the_busiest_first_and_sums_all) {
  CoreConnections one{.core = CoreId{0}, .sum = {.connections_accepted = 2}}, two{.core = CoreId{1}, .sum = {}};
  one.sum.traffic.messages_sent = 5;
  two.sum.traffic.messages_sent = 6;
  one.connections.push_back({.id = 1, .peer = {"quiet", 1}});
  two.connections.push_back({.id = 2, .peer = {"busy", 1}});
  two.connections[0].traffic.bytes_sent = 9;
  two.connections[0].traffic.stalls_of_stream = 4;
  const std::string json = *connections_json({one, two}, "");
  EXPECT_THAT(json, AllOf(HasSubstr(R"({"open":2,"accepted":2,)"), HasSubstr(R"("messagesSent":11)"),
                          HasSubstr(R"("stalls":{"stream":4,)")));
  EXPECT_LT(json.find("busy:1"), json.find("quiet:1"));
  EXPECT_THAT(*connections_json({one, two}, "limit=1"), AllOf(HasSubstr("busy"), Not(HasSubstr("quiet"))));
  for (const char* query : {"limit=", "limit=x", "limit=10001", "limit=-1", "top=1"}) EXPECT_FALSE(connections_json({}, query));
}

}  // namespace
}  // namespace skerry::node
