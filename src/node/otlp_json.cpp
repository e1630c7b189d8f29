// SPDX-License-Identifier: Apache-2.0
#include "node/otlp_json.hpp"

#include <fmt/format.h>

#include "runtime/quoting.hpp"

namespace skerry::node {
namespace {

constexpr int status_error = 2;

std::string attribute_json(const std::string& name, const std::string& value) {
  return fmt::format(R"({{"key":{},"value":{{"stringValue":{}}}}})", json_quoted(name), json_quoted(value));
}

std::string attribute_json(const SpanAttribute& attribute) {
  if (const auto* text = std::get_if<std::string>(&attribute.value)) return attribute_json(attribute.name, *text);
  return fmt::format(R"({{"key":{},"value":{{"intValue":"{}"}}}})", json_quoted(attribute.name),
                     std::get<std::int64_t>(attribute.value));
}

std::int64_t unix_nanos(TimePoint at, const ClockAnchor& anchor) {
  return (std::chrono::nanoseconds(anchor.wall.time_since_epoch()) + (at - anchor.monotonic)).count();
}

std::string span_json(const Span& span, const ClockAnchor& anchor) {
  std::string out = fmt::format(R"({{"traceId":"{}","spanId":"{}",)", span.context.trace_text(), span.context.span_text());
  if (span.parent != 0) out += fmt::format(R"("parentSpanId":"{}",)", hex_text(span.parent));
  if (!span.context.state.empty()) out += fmt::format(R"("traceState":{},)", json_quoted(span.context.state));
  out +=
      fmt::format(R"("name":{},"kind":{},"startTimeUnixNano":"{}","endTimeUnixNano":"{}","attributes":[)", json_quoted(span.name),
                  static_cast<int>(span.kind), unix_nanos(span.begin, anchor), unix_nanos(span.end, anchor));
  const char* comma = "";
  for (const SpanAttribute& attribute : span.attributes) out += std::exchange(comma, ",") + attribute_json(attribute);
  out += "]";
  if (span.failure) out += fmt::format(R"(,"status":{{"code":{},"message":{}}})", status_error, json_quoted(*span.failure));
  return out + "}";
}

}  // namespace

std::string otlp_json(const std::vector<Span>& spans, const ResourceAttributes& resource, const ClockAnchor& anchor) {
  std::string out = R"({"resourceSpans":[{"resource":{"attributes":[)";
  const char* comma = "";
  for (const auto& [name, value] : resource) out += std::exchange(comma, ",") + attribute_json(name, value);
  out += R"(]},"scopeSpans":[{"scope":{"name":"skerry"},"spans":[)";
  comma = "";
  for (const Span& span : spans) out += std::exchange(comma, ",") + span_json(span, anchor);
  return out + "]}]}]}";
}

}  // namespace skerry::node
