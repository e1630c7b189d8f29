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
  Histogram latency_;
  std::array<Counter, codes> handled_;
  std::array<bool, codes> known_{};
};

MethodMetrics::MethodMetrics(Metrics& metrics) : metrics_(metrics) {}
MethodMetrics::~MethodMetrics() = default;

rpc::MethodObserver* MethodMetrics::observer(std::string_view method) {
  auto found = methods_.find(method);
  if (found == methods_.end()) found = methods_.emplace(method, std::make_unique<Method>(metrics_, method)).first;
  return found->second.get();
}

}  // namespace skerry::node
