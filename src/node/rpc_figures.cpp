// SPDX-License-Identifier: Apache-2.0
#include "node/rpc_figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "base/bytes.hpp"
#include "runtime/quoting.hpp"

namespace skerry::node {
namespace {

double seconds(Duration length) { return std::chrono::duration<double>(length).count(); }

std::string traffic_fields(const rpc::Traffic& traffic) {
  return fmt::format(
      R"("streams":{},"streamsFailed":{},"messagesReceived":{},"messagesSent":{},"bytesReceived":{},"bytesSent":{},)"
      R"("stalls":{{"stream":{},"connection":{},"socket":{},"client":{}}})",
      traffic.streams, traffic.streams_failed, traffic.messages_received, traffic.messages_sent, traffic.bytes_received,
      traffic.bytes_sent, traffic.stalls_of_stream, traffic.stalls_of_connection, traffic.stalls_of_socket,
      traffic.stalls_of_client);
}

Result<std::size_t> limit_of(std::string_view query) {
  if (query.empty()) return connections_shown;
  constexpr std::string_view word = "limit=";
  std::size_t limit = 0;
  const char* end = query.data() + query.size();
  const auto [stop, error] = query.starts_with(word) ? std::from_chars(query.data() + word.size(), end, limit)
                                                     : std::from_chars_result{query.data(), std::errc::invalid_argument};
  if (error != std::errc{} || stop != end || limit > connections_shown_max) {
    return fail(Errc::invalid_argument,
                fmt::format("the query {} is not limit=N with N from 0 to {}", printable(query), connections_shown_max));
  }
  return limit;
}

}  // namespace

TrafficMetrics::TrafficMetrics(Metrics& metrics, const rpc::Server& server)
    : server_(server), open_(metrics.gauge("skerry_rpc_connections", "Connections that are open")),
      streams_open_(metrics.gauge("skerry_rpc_streams", "Streams of HTTP/2 that are open")),
      accepted_(metrics.counter("skerry_rpc_connections_accepted_total", "Connections that were accepted")),
      refused_(metrics.counter("skerry_rpc_connections_refused_total", "Connections beyond the limit, turned away")) {
  const auto total = [&](const char* name, const char* help, std::uint64_t rpc::Traffic::* figure, Labels labels = {}) {
    totals_.push_back({metrics.counter(name, help, std::move(labels)), figure});
  };
  using rpc::Traffic;
  total("skerry_rpc_streams_total", "Streams that were opened", &Traffic::streams);
  total("skerry_rpc_streams_failed_total", "Streams that failed; not those that were cancelled", &Traffic::streams_failed);
  total("skerry_rpc_messages_received_total", "Messages that handlers have taken", &Traffic::messages_received);
  total("skerry_rpc_messages_sent_total", "Messages that handlers have sent", &Traffic::messages_sent);
  total("skerry_rpc_bytes_received_total", "Bytes of connections, HTTP/2's own included", &Traffic::bytes_received);
  total("skerry_rpc_bytes_sent_total", "Bytes of connections, HTTP/2's own included", &Traffic::bytes_sent);
  const char* stalls = "skerry_rpc_stalls_total";
  const char* help =
      "Times that messages had to wait: for the client to take more of the stream or the connection, for the "
      "socket, or (client) for a slow handler";
  total(stalls, help, &Traffic::stalls_of_stream, {{"of", "stream"}});
  total(stalls, help, &Traffic::stalls_of_connection, {{"of", "connection"}});
  total(stalls, help, &Traffic::stalls_of_socket, {{"of", "socket"}});
  total(stalls, help, &Traffic::stalls_of_client, {{"of", "client"}});
  metrics.add(*this);
}

void TrafficMetrics::collect() {
  const rpc::ServerFigures figures = server_.figures();
  open_.set(static_cast<double>(figures.connections_open));
  streams_open_.set(static_cast<double>(figures.streams_open));
  accepted_.set(static_cast<double>(figures.connections_accepted));
  refused_.set(static_cast<double>(figures.connections_refused));
  for (const Total& total : totals_) total.counter.set(static_cast<double>(figures.traffic.*total.figure));
}

Result<std::string> connections_json(const std::vector<CoreConnections>& cores, std::string_view query) {
  TRY(const std::size_t limit, limit_of(query));
  rpc::ServerFigures sum;
  std::vector<std::pair<CoreId, const rpc::ConnectionFigures*>> all;
  for (const CoreConnections& core : cores) {
    sum.connections_accepted += core.sum.connections_accepted;
    sum.connections_refused += core.sum.connections_refused;
    sum.streams_open += core.sum.streams_open;
    sum.traffic += core.sum.traffic;
    for (const rpc::ConnectionFigures& connection : core.connections) all.emplace_back(core.core, &connection);
  }
  const auto bytes = [](const auto& each) { return each.second->traffic.bytes_received + each.second->traffic.bytes_sent; };
  std::ranges::sort(all, std::greater<>(), bytes);
  std::string out = fmt::format(R"({{"open":{},"accepted":{},"refused":{},"streamsOpen":{},{},"connections":[)", all.size(),
                                sum.connections_accepted, sum.connections_refused, sum.streams_open, traffic_fields(sum.traffic));
  const char* comma = "";
  for (const auto& [core, connection] : std::span(all).first(std::min(limit, all.size()))) {
    out += fmt::format(R"({}
 {{"core":{},"id":{},"peer":{},"ageSeconds":{:.3f},"idleSeconds":{:.3f},"streamsOpen":{},{}}})",
                       std::exchange(comma, ","), core.value(), connection->id, json_quoted(connection->peer.text()),
                       seconds(connection->age), seconds(connection->idle), connection->streams_open,
                       traffic_fields(connection->traffic));
  }
  return out + "]}";
}

std::string methods_json(std::vector<MethodFigures> of_all_cores) {
  std::map<std::string, MethodFigures> sums;
  for (const MethodFigures& figures : of_all_cores) {
    if (figures.started > 0) sums[figures.name] += figures;
  }
  std::string out = R"({"methods":[)";
  const char* comma = "";
  for (const auto& [name, sum] : sums) {
    out +=
        fmt::format(R"({}
 {{"method":{},"started":{},"running":{},"failed":{},"messagesReceived":{},"messagesSent":{},"bytesReceived":{},"bytesSent":{}}})",
                    std::exchange(comma, ","), json_quoted(std::string_view(name).substr(1)), sum.started, sum.running,
                    sum.failed, sum.messages.received, sum.messages.sent, sum.messages.bytes_received, sum.messages.bytes_sent);
  }
  return out + "]}";
}

}  // namespace skerry::node
