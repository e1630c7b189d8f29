// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/stream.hpp"
#include "node/otlp_json.hpp"

namespace skerry::node {

// Where spans go, as http://host:port/path.
struct OtlpEndpoint {
  net::Address address;
  std::string path;
  bool tls = false;

  // Fails with what is wrong with it.
  static Result<OtlpEndpoint> parse(const std::string& url);
  std::string text() const;
};

struct TracingOptions {
  std::optional<OtlpEndpoint> endpoint = {};   // nothing: tracing is off, and nothing is recorded
  std::vector<std::pair<std::string, std::string>> headers = {};   // of each request, for a collector that asks who sends
  std::string certificate_file = {};           // who signs the collector's certificate; "": the system's roots
  ResourceAttributes resource = {};            // service.name and what else there is to say of this process
  double ratio = 0.01;                         // of the traces that begin here
  std::size_t spans_max = 4096;                // kept for each core until they are sent
  Duration interval = 1s;                      // between requests to the collector
};

// What the configuration says of it. What it leaves empty, OpenTelemetry's variables say.
struct TracingWish {
  std::string endpoint =
      {};   // as OTEL_EXPORTER_OTLP_ENDPOINT: /v1/traces is put behind it; "none": off whatever the variables say
  double ratio = 0.01;
};

// `environment` as "NAME=value". Read are OTEL_EXPORTER_OTLP_ENDPOINT, …_TRACES_ENDPOINT, …_HEADERS, …_CERTIFICATE,
// OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES and OTEL_SDK_DISABLED. Fails naming the variable or setting that is wrong.
Result<TracingOptions> tracing_options(const TracingWish& wish, const std::vector<std::string>& environment);

}   // namespace skerry::node
