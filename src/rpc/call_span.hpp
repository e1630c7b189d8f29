// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string_view>

#include "rpc/status.hpp"
#include "runtime/tracing.hpp"

namespace skerry::rpc {

// What OpenTelemetry wants to know of a call: system, service, method and status. `method` is "/package.Service/Method".
void describe_call(Span& span, std::string_view method, Code code, std::string_view message);

// Hands the trace on with a call to another server: traceparent, and tracestate where there is one.
void add_trace(Metadata& metadata, const TraceContext& context);

}  // namespace skerry::rpc
