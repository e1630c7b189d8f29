// SPDX-License-Identifier: Apache-2.0
#include "node/method_metrics.hpp"

#include <array>

namespace skerry::node {
namespace {

constexpr std::size_t codes = 17;   // gRPC's, 0 to 16

// "/package.Service/Method" as labels.
Labels labels_of(std::string_view method) {
  const std::size_t slash = method.rfind('/');
  return {{"grpc_service", std::string(method.substr(1, slash - 1))}, {"grpc_method", std::string(method.substr(slash + 1))}};
}

}  // namespace

class MethodMetrics::Method final : public rpc::MethodObserver {
 public:
  Method(Metrics& metrics, std::string_view name)
      : metrics_(metrics), labels_(labels_of(name)),
        started_(metrics.counter("grpc_server_started_total", "Calls that began", labels_)),
        running_(metrics.gauge("skerry_rpc_calls_running", "Calls that have not ended", labels_)),
        received_(metrics.counter("grpc_server_msg_received_total", "Messages that handlers have taken", labels_)),
        sent_(metrics.counter("grpc_server_msg_sent_total", "Messages that handlers have sent", labels_)),
        bytes_received_(metrics.counter("skerry_rpc_method_bytes_received_total", "Bytes of them", labels_)),
        bytes_sent_(metrics.counter("skerry_rpc_method_bytes_sent_total", "Bytes of them", labels_)),
        latency_(metrics.histogram("grpc_server_handling_milliseconds", "From a call's headers to its handler's return",
                                   buckets::latency_millis(), labels_)) {}

  void on_start() override {
    started_.add();
    running_.add(1);
  }
  void on_end(rpc::Code code, Duration latency) override {
    running_.add(-1);
    latency_.observe_millis(latency);
    const auto index = static_cast<std::size_t>(code) % codes;
    if (!known_[index]) make(code, index);
    handled_[index].add();
  }

  void collect() const {
    received_.set(static_cast<double>(messages.received));
    sent_.set(static_cast<double>(messages.sent));
    bytes_received_.set(static_cast<double>(messages.bytes_received));
    bytes_sent_.set(static_cast<double>(messages.bytes_sent));
  }
  MethodFigures figures(const std::string& name) const {
    MethodFigures figures{
        .name = name, .started = started_.value(), .running = static_cast<std::int64_t>(running_.value()), .messages = messages};
    for (std::size_t code = 1; code < codes; ++code) {
      if (code != static_cast<std::size_t>(rpc::Code::cancelled)) figures.failed += handled_[code].value();
    }
    return figures;
  }

 private:
  void make(rpc::Code code, std::size_t index) {   // on the first call that ends so
    Labels labels = labels_;
    labels.emplace_back("grpc_code", rpc::name(code));
    handled_[index] = metrics_.counter("grpc_server_handled_total", "Calls that ended, by status", std::move(labels));
    known_[index] = true;
  }

  Metrics& metrics_;
  const Labels labels_;
  Counter started_;
  Gauge running_;
  Counter received_, sent_, bytes_received_, bytes_sent_;
  Histogram latency_;
  std::array<Counter, codes> handled_;
  std::array<bool, codes> known_{};
};

MethodMetrics::MethodMetrics(Metrics& metrics) : metrics_(metrics) { metrics_.add(*this); }
MethodMetrics::~MethodMetrics() = default;

rpc::MethodObserver* MethodMetrics::observer(std::string_view method) {
  auto found = methods_.find(method);
  if (found == methods_.end()) found = methods_.emplace(method, std::make_unique<Method>(metrics_, method)).first;
  return found->second.get();
}

void MethodMetrics::collect() {
  for (const auto& [name, method] : methods_) method->collect();
}

std::vector<MethodFigures> MethodMetrics::figures() const {
  std::vector<MethodFigures> all;
  all.reserve(methods_.size());
  for (const auto& [name, method] : methods_) all.push_back(method->figures(name));
  return all;
}

MethodFigures& MethodFigures::operator+=(const MethodFigures& other) {
  started += other.started, failed += other.failed, running += other.running;
  messages.received += other.messages.received, messages.sent += other.messages.sent;
  messages.bytes_received += other.messages.bytes_received, messages.bytes_sent += other.messages.bytes_sent;
  return *this;
}

}  // namespace skerry::node
