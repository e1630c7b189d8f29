// SPDX-License-Identifier: Apache-2.0
#include "runtime/tracing.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace skerry {
namespace {

// Lower-case hexadecimal, as W3C demands; nothing for anything else.
std::optional<std::uint64_t> parse_hex(std::string_view digits) {
  std::uint64_t value = 0;
  for (const char c : digits) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return std::nullopt;
    value = value << 4 | static_cast<std::uint64_t>(digit);
  }
  return value;
}

}  // namespace

std::string hex_text(std::uint64_t value) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text(16, '0');
  for (std::size_t at = 16; at-- > 0; value >>= 4) text[at] = digits[value & 15];
  return text;
}

std::string TraceContext::trace_text() const { return hex_text(trace_high) + hex_text(trace_low); }
std::string TraceContext::span_text() const { return hex_text(span); }

std::optional<TraceContext> parse_traceparent(std::string_view text, std::string_view tracestate) {
  // version-trace-parent-flags; a later version may have more behind another dash.
  constexpr std::size_t trace_at = 3, span_at = 36, flags_at = 53, length = 55;
  if (text.size() < length || text[2] != '-' || text[span_at - 1] != '-' || text[flags_at - 1] != '-') return std::nullopt;
  const auto version = parse_hex(text.substr(0, 2));
  if (!version || *version == 0xFF) return std::nullopt;
  if (text.size() > length && (*version == 0 || text[length] != '-')) return std::nullopt;
  const auto high = parse_hex(text.substr(trace_at, 16)), low = parse_hex(text.substr(trace_at + 16, 16));
  const auto span = parse_hex(text.substr(span_at, 16)), flags = parse_hex(text.substr(flags_at, 2));
  if (!high || !low || !span || !flags || (*high | *low) == 0 || *span == 0) return std::nullopt;
  TraceContext context{.trace_high = *high, .trace_low = *low, .span = *span, .sampled = (*flags & 1) != 0};
  if (tracestate.size() <= tracestate_bytes_max) context.state = tracestate;
  return context;
}

std::string traceparent(const TraceContext& context) {
  return "00-" + context.trace_text() + "-" + context.span_text() + (context.sampled ? "-01" : "-00");
}

std::uint64_t Tracer::new_id() {
  for (;;) {
    if (const std::uint64_t id = random_.next(); id != 0) return id;
  }
}

std::unique_ptr<Span> Tracer::begin(std::string name, Span::Kind kind, const std::optional<TraceContext>& caller, TimePoint now) {
  if (!(caller ? caller->sampled : random_.chance(options_.ratio))) return nullptr;
  auto span = std::make_unique<Span>();
  if (caller) {
    span->context = *caller;
    span->parent = caller->span;
  } else {
    span->context.trace_high = random_.next();
    span->context.trace_low = new_id();
    span->context.sampled = true;
  }
  span->context.span = new_id();
  span->name = std::move(name);
  span->kind = kind;
  span->begin = now;
  return span;
}

Span Tracer::part(const Span& parent, std::string name, TimePoint begin, TimePoint end) {
  Span span{.context = parent.context, .parent = parent.context.span, .name = std::move(name), .begin = begin, .end = end};
  span.context.span = new_id();
  return span;
}

void Tracer::record(Span span) {
  if (spans_.size() >= options_.spans_max) {
    ++dropped_;
    return;
  }
  ++recorded_;
  spans_.push_back(std::move(span));
}

std::vector<Span> Tracer::take(std::size_t count) {
  std::vector<Span> taken;
  taken.reserve(std::min(count, spans_.size()));
  while (taken.size() < count && !spans_.empty()) {
    taken.push_back(std::move(spans_.front()));
    spans_.pop_front();
  }
  return taken;
}

void record_stages(Tracer& tracer, const Span& parent, const WriteStages& stages) {
  const auto stage = [&](const char* name, WriteStages::Reached begin, WriteStages::Reached end) {
    if (begin && end) tracer.record(tracer.part(parent, name, *begin, *end));
  };
  stage("evaluate", stages.proposed, stages.logged);
  stage("log", stages.logged, stages.committed);
  stage("apply", stages.committed, stages.applied);
}

}  // namespace skerry
