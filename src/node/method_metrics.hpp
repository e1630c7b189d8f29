// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "rpc/method_stats.hpp"
#include "runtime/metrics.hpp"

namespace skerry::node {

// What was counted of one method.
struct MethodFigures {
  std::string name;   // "/package.Service/Method"
  std::uint64_t started = 0, failed = 0;
  std::int64_t running = 0;
  rpc::MessageTraffic messages;

  MethodFigures& operator+=(const MethodFigures& other);
};

// Counts and times the calls of each method under the names that grpc-prometheus gave them. One core's; outlives the server.
class MethodMetrics final : public rpc::MethodStats, public Collector {
 public:
  explicit MethodMetrics(Metrics& metrics);
  ~MethodMetrics() override;
  rpc::MethodObserver* observer(std::string_view method) override;
  void collect() override;
  std::vector<MethodFigures> figures() const;

 private:
  class Method;
  Metrics& metrics_;
  std::map<std::string, std::unique_ptr<Method>, std::less<>> methods_;
};

}  // namespace skerry::node
