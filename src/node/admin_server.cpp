// SPDX-License-Identifier: Apache-2.0
#include "node/admin_server.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/bytes.hpp"
#include "base/nearest.hpp"
#include "rpc/refusal.hpp"

namespace skerry::node {
namespace {

constexpr const char* prometheus_text = "text/plain; version=0.0.4; charset=utf-8";

net::HttpResponse text(int status, std::string body) { return {.status = status, .body = std::move(body), .headers = {}}; }

// What is wrong with the levels, or "": a module that nothing logs as would be accepted and change nothing.
std::string unknown_module(const LogLevels& levels, const std::vector<std::string>& known) {
  for (const auto& [module, level] : levels.modules) {
    if (std::ranges::find(known, module) != known.end()) continue;
    return fmt::format("log level: this process has no module {}{}; its modules are {}", printable(module),
                       did_you_mean(module, known), fmt::join(known, ", "));
  }
  return {};
}

net::HttpServerOptions http_options(Security& security) {
  net::HttpServerOptions options;
  options.refuse = [&security](const net::HttpRequest& request) { return security.refuse(request); };
  options.on_handshake_failed = [&security](const net::Address& peer, const Error& why) {
    security.note_handshake("metrics", peer, why);
  };
  return options;
}

}  // namespace

AdminServer::AdminServer(AppletContext& context, AdminServerOptions options)
    : context_(context), log_(context.log("admin")), options_(std::move(options)), security_(context.get<Security>()),
      network_(context.core), secure_network_(context.core, network_, {security_.admin_tls(), rpc::refusal_without_tls}),
      json_api_(context.core),
      http_(context.core, security_.options().admin_tls ? static_cast<net::Network&>(secure_network_) : network_,
            http_options(security_)) {
  const auto route = [this](std::string method, std::string path,
                            Task<net::HttpResponse> (AdminServer::*handler)(net::HttpRequest)) {
    http_.route(std::move(method), std::move(path), std::bind_front(handler, this));
  };
  route("GET", "/metrics", &AdminServer::metrics);
  route("GET", "/healthz", &AdminServer::healthy);
  route("GET", "/readyz", &AdminServer::ready);
  route("GET", "/log-level", &AdminServer::log_level);
  route("PUT", "/log-level", &AdminServer::set_log_level);
  if (options_.json_api) json_api_.route_in(http_);
}

Task<Result<>> AdminServer::start() {
  if (context_.core.id() != CoreId{0}) co_return Result<>{};
  CO_TRY(const net::Address address, http_.start(options_.address));
  // Other tools wait for these words, with this host, in the log.
  log_.info(fmt::format("Serving Prometheus metrics at {}://localhost:{}/metrics",
                        security_.options().admin_tls ? "https" : "http", address.port),
            {{"address", address.text()}});
  co_return Result<>{};
}

Task<> AdminServer::stop() { co_await http_.stop(); }

Task<net::HttpResponse> AdminServer::metrics(net::HttpRequest) {
  co_return net::HttpResponse{.content_type = prometheus_text,
                              .body = co_await context_.metrics_registry().collect_text(context_.cores()),
                              .headers = {}};
}

Task<net::HttpResponse> AdminServer::healthy(net::HttpRequest) { co_return text(200, "ok\n"); }

Task<net::HttpResponse> AdminServer::ready(net::HttpRequest) {
  co_return ready_ ? text(200, "ready\n") : text(503, "not ready: shards are being recovered, or the process is stopping\n");
}

Task<net::HttpResponse> AdminServer::log_level(net::HttpRequest) { co_return text(200, context_.log_registry().levels() + "\n"); }

Task<net::HttpResponse> AdminServer::set_log_level(net::HttpRequest request) {
  std::string_view wanted = request.body;
  while (wanted.ends_with('\n') || wanted.ends_with('\r')) wanted.remove_suffix(1);
  const Result<LogLevels> levels = LogLevels::parse(wanted);
  if (!levels) co_return text(400, levels.error().message() + "\n");
  if (const std::string unknown = unknown_module(*levels, context_.log_registry().modules()); !unknown.empty()) {
    co_return text(400, unknown + "\n");
  }
  context_.log_registry().set_levels(*levels);
  log_.info("log level changed", {{"levels", context_.log_registry().levels()}, {"by", request.peer.text()}});
  co_return text(200, context_.log_registry().levels() + "\n");
}

}  // namespace skerry::node
