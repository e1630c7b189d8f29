// SPDX-License-Identifier: Apache-2.0
#include "rpc/call_span.hpp"

namespace skerry::rpc {
namespace {

// Of a server, what OpenTelemetry's conventions call its own failures; the others are the client's.
bool is_failure_of_server(Code code) {
  return code == Code::unknown || code == Code::deadline_exceeded || code == Code::unimplemented || code == Code::internal ||
         code == Code::unavailable || code == Code::data_loss;
}

}  // namespace

void describe_call(Span& span, std::string_view method, Code code, std::string_view message) {
  const std::size_t slash = method.rfind('/');
  span.set("rpc.system", std::string("grpc"));
  span.set("rpc.service", std::string(method.substr(1, slash - 1)));
  span.set("rpc.method", std::string(method.substr(slash + 1)));
  span.set("rpc.grpc.status_code", static_cast<std::int64_t>(code));
  if (code != Code::ok && (span.kind == Span::Kind::client || is_failure_of_server(code))) {
    span.failure = std::string(name(code)) + (message.empty() ? "" : ": ") + std::string(message);
  }
}

void add_trace(Metadata& metadata, const TraceContext& context) {
  metadata.add(std::string(traceparent_name), traceparent(context));
  if (!context.state.empty()) metadata.add(std::string(tracestate_name), context.state);
}

}  // namespace skerry::rpc
