// SPDX-License-Identifier: Apache-2.0
#include "runtime/tracing.hpp"

#include <gtest/gtest.h>

#include <set>

namespace skerry {
namespace {

const std::string trace = "4bf92f3577b34da6a3ce929d0e0e4736", caller_span = "00f067aa0ba902b7";
const std::string header = "00-" + trace + "-" + caller_span + "-01";
constexpr TimePoint call_start{1h};

TEST(Traceparent, is_read_and_written_the_same) {
  const auto context = parse_traceparent(header, "vendor=1");
  ASSERT_TRUE(context);
  EXPECT_EQ(context->trace_text(), trace);
  EXPECT_EQ(context->span_text(), caller_span);
  EXPECT_TRUE(context->sampled);
  EXPECT_EQ(context->state, "vendor=1");
  EXPECT_EQ(traceparent(*context), header);
  EXPECT_FALSE(parse_traceparent("00-" + trace + "-" + caller_span + "-00")->sampled);
}

TEST(Traceparent, what_is_malformed_counts_as_absent) {
  const std::string zeros(32, '0');
  for (const std::string& text :
       {std::string(), std::string("00"), header.substr(0, 54), header + "0", header + "-x", "ff" + header.substr(2),
        "0x" + header.substr(2), "00-" + zeros + "-" + caller_span + "-01", "00-" + trace + "-0000000000000000-01",
        "00-" + trace.substr(1) + "G-" + caller_span + "-01", "00-4BF92F3577B34DA6A3CE929D0E0E4736-" + caller_span + "-01",
        "00_" + header.substr(3), "00-" + trace + "-" + caller_span + "-0g"}) {
    EXPECT_FALSE(parse_traceparent(text)) << text;
  }
}

TEST(Traceparent, a_later_version_may_say_more) {
  EXPECT_TRUE(parse_traceparent("01" + header.substr(2) + "-more"));
  EXPECT_FALSE(parse_traceparent("01" + header.substr(2) + "more"));
}

TEST(Traceparent, a_tracestate_beyond_its_limit_is_dropped_alone) {
  EXPECT_EQ(parse_traceparent(header, std::string(tracestate_bytes_max, 's'))->state.size(), tracestate_bytes_max);
  EXPECT_EQ(parse_traceparent(header, std::string(tracestate_bytes_max + 1, 's'))->state, "");
}

TEST(Tracer, follows_the_flag_of_its_caller_whatever_the_ratio) {
  Tracer never(1, {.ratio = 0}), always(1, {.ratio = 1});
  auto caller = parse_traceparent(header);
  const auto span = never.begin("call", Span::Kind::server, caller, call_start);
  ASSERT_TRUE(span);
  EXPECT_EQ(span->context.trace_text(), trace);
  EXPECT_EQ(hex_text(span->parent), caller_span);
  EXPECT_NE(span->context.span_text(), caller_span);
  caller->sampled = false;
  EXPECT_FALSE(always.begin("call", Span::Kind::server, caller, call_start));
}

TEST(Tracer, begins_as_many_traces_as_the_ratio_says) {
  Tracer tracer(7, {.ratio = 0.25});
  std::set<std::string> traces;
  for (int i = 0; i < 10'000; ++i) {
    if (const auto span = tracer.begin("call", Span::Kind::server, {}, call_start)) {
      EXPECT_EQ(span->parent, 0U);
      traces.insert(span->context.trace_text());
    }
  }
  EXPECT_NEAR(static_cast<double>(traces.size()), 2'500, 200);
}

TEST(Tracer, keeps_a_bounded_number_and_counts_what_it_drops) {
  Tracer tracer(1, {.ratio = 1, .spans_max = 3});
  for (int i = 0; i < 5; ++i) tracer.record(*tracer.begin(std::to_string(i), Span::Kind::server, {}, call_start));
  EXPECT_EQ(tracer.recorded(), 3U);
  EXPECT_EQ(tracer.dropped(), 2U);
  EXPECT_EQ(tracer.take(2).front().name, "0");
  EXPECT_EQ(tracer.take(9).front().name, "2");
  EXPECT_EQ(tracer.waiting(), 0U);
}

TEST(Tracer, the_stages_of_a_write_are_parts_of_its_span_as_far_as_it_came) {
  Tracer tracer(1, {.ratio = 1});
  const auto span = tracer.begin("Write", Span::Kind::server, {}, call_start);
  record_stages(tracer, *span,
                {.proposed = call_start, .logged = call_start + 1ms, .committed = call_start + 5ms, .applied = call_start + 6ms});
  const auto stages = tracer.take(9);
  ASSERT_EQ(stages.size(), 3U);
  for (const Span& stage : stages) {
    EXPECT_EQ(stage.parent, span->context.span);
    EXPECT_EQ(stage.context.trace_text(), span->context.trace_text());
    EXPECT_EQ(stage.kind, Span::Kind::internal);
  }
  EXPECT_EQ(stages[1].name, "log");
  EXPECT_EQ(stages[1].end - stages[1].begin, 4ms);
  record_stages(tracer, *span, {.proposed = call_start, .logged = {}, .committed = {}, .applied = {}});
  EXPECT_EQ(tracer.waiting(), 0U);
}

}  // namespace
}  // namespace skerry
