// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "net/tcp.hpp"
#include "net/tls_network.hpp"
#include "node/tracing_options.hpp"
#include "runtime/applets.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::node {

// Holds its core's tracer; on the first core it sends what all cores have recorded to the collector: OTLP over HTTP, as JSON.
// Added first, so that it stops last and the spans of the end are sent, too. A collector that is slow or away costs spans, which
// are counted, and nothing else.
class Tracing final : private Collector {
 public:
  Tracing(AppletContext& context, TracingOptions options);
  ~Tracing() override;
  Task<Result<>> start();
  Task<> stop();   // sends what is left, for a little while

  Tracer* tracer() { return tracer_ ? &*tracer_ : nullptr; }   // null: tracing is off

 private:
  void collect() override;
  std::vector<Span> take(std::size_t count) { return tracer_->take(count); }
  Task<> export_all();
  Task<> gather();
  Task<bool> deliver();   // false: to be tried again
  void drop_batch(const char* why, const std::string& detail);
  void complain(const std::string& what);

  AppletContext& context_;
  Logger log_;
  const TracingOptions options_;
  std::optional<Tracer> tracer_;
  net::TcpNetwork network_;
  std::unique_ptr<net::TlsNetwork> secure_network_;
  ClockAnchor anchor_;
  std::vector<Span> batch_;   // being sent
  TimePoint complained_at_ = TimePoint::min();
  Counter recorded_, dropped_, sent_, refused_, failures_;
  Gauge waiting_;
  TaskScope tasks_;
};

}   // namespace skerry::node
