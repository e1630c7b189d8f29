// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "node/method_metrics.hpp"
#include "rpc/server.hpp"
#include "runtime/metrics.hpp"

namespace skerry::node {

// What passes over a server's connections, as metrics of its core: sums, since a series for each connection would never end. On
// the server's core; destroy it before the server.
class TrafficMetrics final : public Collector {
 public:
  TrafficMetrics(Metrics& metrics, const rpc::Server& server);
  void collect() override;

 private:
  struct Total {
    Counter counter;
    std::uint64_t rpc::Traffic::* figure;
  };
  const rpc::Server& server_;
  Gauge open_, streams_open_;
  Counter accepted_, refused_;
  std::vector<Total> totals_;
};

// The connections of one core; the views below put several together.
struct CoreConnections {
  CoreId core;
  rpc::ServerFigures sum = {};
  std::vector<rpc::ConnectionFigures> connections = {};
};

constexpr std::size_t connections_shown = 100, connections_shown_max = 10'000;
// The busiest first, by bytes; as many as "limit=N" in `query` says. Fails on a query that it does not understand.
Result<std::string> connections_json(const std::vector<CoreConnections>& cores, std::string_view query);
// One line for each method that was called, of all cores together.
std::string methods_json(std::vector<MethodFigures> of_all_cores);

}   // namespace skerry::node
