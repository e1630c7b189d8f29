// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <string>

#include "rpc/method_stats.hpp"
#include "runtime/metrics.hpp"

namespace skerry::node {

// Counts and times the calls of each method under the names that grpc-prometheus gave them. One core's; outlives the server.
class MethodMetrics final : public rpc::MethodStats {
 public:
  explicit MethodMetrics(Metrics& metrics);
  ~MethodMetrics() override;
  rpc::MethodObserver* observer(std::string_view method) override;

 private:
  class Method;
  Metrics& metrics_;
  std::map<std::string, std::unique_ptr<Method>, std::less<>> methods_;
};

}  // namespace skerry::node
