// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "net/http_server.hpp"
#include "net/tcp.hpp"
#include "net/tls_network.hpp"
#include "node/security.hpp"
#include "rpc/json_api.hpp"
#include "runtime/applets.hpp"

namespace skerry::node {

struct AdminServerOptions {
  net::Address address;
  bool json_api = true;   // every gRPC method at /api, too
};

// The operators' port, plain HTTP on the first core: GET /metrics, /healthz (the process runs), /readyz (it serves), and
// GET or PUT /log-level, and /api. The first applet to start, so that a long recovery can be watched, and the last to stop.
class AdminServer {
 public:
  AdminServer(AppletContext& context, AdminServerOptions options);
  Task<Result<>> start();
  Task<> stop();
  void set_ready(bool ready) { ready_ = ready; }
  // Where applets add what they answer; null when it is not served here.
  rpc::JsonApi* json_api() { return options_.json_api && context_.core.id() == CoreId{0} ? &json_api_ : nullptr; }

 private:
  Task<net::HttpResponse> metrics(net::HttpRequest request);
  Task<net::HttpResponse> healthy(net::HttpRequest request);
  Task<net::HttpResponse> ready(net::HttpRequest request);
  Task<net::HttpResponse> log_level(net::HttpRequest request);
  Task<net::HttpResponse> set_log_level(net::HttpRequest request);

  AppletContext& context_;
  Logger log_;
  AdminServerOptions options_;
  Security& security_;
  net::TcpNetwork network_;
  net::TlsNetwork secure_network_;
  rpc::JsonApi json_api_;
  net::HttpServer http_;
  bool ready_ = false;
};

// Added last: says that everything before it has started, and that stopping has begun.
class AdminReadiness {
 public:
  explicit AdminReadiness(AppletContext& context) : admin_(context.get<AdminServer>()) {}
  Task<Result<>> start() {
    admin_.set_ready(true);
    co_return Result<>{};
  }
  Task<> stop() {
    admin_.set_ready(false);
    co_return;
  }

 private:
  AdminServer& admin_;
};

}  // namespace skerry::node
