// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "runtime/random.hpp"

// Spans as OpenTelemetry means them: what was done for a request, from when to when, and on whose behalf. The trace's identity
// travels between processes as W3C's headers "traceparent" and "tracestate".
namespace skerry {

// A place in a trace: whoever gets it makes its spans children of `span`.
struct TraceContext {
  std::uint64_t trace_high = 0, trace_low = 0;   // not both 0
  std::uint64_t span = 0;                        // not 0
  bool sampled = false;                          // whether the trace is being recorded
  std::string state = {};                        // the header "tracestate": handed on unread

  std::string trace_text() const;   // 32 hexadecimal digits
  std::string span_text() const;    // 16
};

constexpr std::string_view traceparent_name = "traceparent", tracestate_name = "tracestate";
constexpr std::size_t tracestate_bytes_max = 512;   // longer ones are dropped, which W3C allows; the trace goes on

// Nothing when it is malformed or of all zeros: then a new trace begins, as W3C asks.
std::optional<TraceContext> parse_traceparent(std::string_view traceparent, std::string_view tracestate = {});
std::string traceparent(const TraceContext& context);
std::string hex_text(std::uint64_t value);   // 16 digits

struct SpanAttribute {
  std::string name;
  std::variant<std::int64_t, std::string> value;
};

struct Span {
  enum class Kind { internal = 1, server = 2, client = 3 };   // OTLP's numbers

  TraceContext context;       // `span` is its own id
  std::uint64_t parent = 0;   // 0: the trace begins here
  std::string name;
  Kind kind = Kind::internal;
  TimePoint begin{}, end{};
  std::vector<SpanAttribute> attributes = {};
  std::optional<std::string> failure = {};   // what went wrong, if anything did

  void set(std::string attribute, std::string value) { attributes.push_back({std::move(attribute), std::move(value)}); }
  void set(std::string attribute, std::int64_t value) { attributes.push_back({std::move(attribute), value}); }
};

struct TracerOptions {
  double ratio = 0;               // of the traces that begin here, how many are recorded; those of callers follow their flag
  std::size_t spans_max = 4096;   // kept until they are taken; more are dropped and counted
};

// Decides what is recorded, and keeps what has ended until an exporter takes it. One core's; whoever records has a pointer to it
// that is null while tracing is off, so that this costs one comparison a call. Time comes in from outside.
class Tracer {
 public:
  Tracer(std::uint64_t seed, TracerOptions options) : random_(seed), options_(options) {}

  // A span on behalf of `caller`, or of a new trace; null when it is not to be recorded.
  std::unique_ptr<Span> begin(std::string name, Span::Kind kind, const std::optional<TraceContext>& caller, TimePoint now);
  // Something that was done as a part of `parent`, told afterwards.
  Span part(const Span& parent, std::string name, TimePoint begin, TimePoint end);
  void record(Span span);

  // At most `count`, oldest first.
  std::vector<Span> take(std::size_t count);
  std::size_t waiting() const { return spans_.size(); }
  std::uint64_t recorded() const { return recorded_; }
  std::uint64_t dropped() const { return dropped_; }

 private:
  std::uint64_t new_id();

  Random random_;
  TracerOptions options_;
  std::deque<Span> spans_;
  std::uint64_t recorded_ = 0, dropped_ = 0;
};

// When a write that is traced reached its stages. Filled in by whoever carries it; a stage that was not reached is not set.
struct WriteStages {
  using Reached = std::optional<TimePoint>;
  TimePoint proposed;
  Reached logged;      // evaluated, and its entry given to the log
  Reached committed;   // the log has synced it
  Reached applied;     // to the engine, and told to followers
};
// Records the stages as parts of the request's span: evaluate, log, apply.
void record_stages(Tracer& tracer, const Span& parent, const WriteStages& stages);

}  // namespace skerry
