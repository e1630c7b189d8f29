// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>

#include "net/tcp.hpp"
#include "net/tls_network.hpp"
#include "node/admin_service.hpp"
#include "node/backup_service.hpp"
#include "node/method_metrics.hpp"
#include "node/rpc_figures.hpp"
#include "node/security.hpp"
#include "node/tracing.hpp"
#include "rpc/health.hpp"
#include "rpc/json_api.hpp"
#include "rpc/reflection.hpp"
#include "rpc/server.hpp"
#include "runtime/applets.hpp"
#include "serve/oxia_service.hpp"
#include "serve/store_v1_service.hpp"

namespace skerry::node {

// Who listens where.
enum class PublicPort {
  shared,     // every core on the one address, and the kernel spreads the connections
  each_core   // core K on a port of its own, see node_address()
};

struct PublicServerOptions {
  net::Address address;
  std::shared_ptr<const serve::Assignments> assignments;   // null: told later; until then nothing can be answered
  PublicPort port = PublicPort::shared;
  serve::AuthorityCheck authority_check = serve::AuthorityCheck::off;
};

// The store's public port. On a shared one a request for another core's shard travels there. Starts after Storage, stops before
// it: running calls get a few seconds to end.
class PublicServer {
 public:
  PublicServer(AppletContext& context, PublicServerOptions options, Sharded<serve::ShardHost>* hosts);
  Task<Result<>> start();
  Task<> stop();
  // What exists has changed: calls and followers of assignments learn of it.
  void set_assignments(std::shared_ptr<const serve::Assignments> assignments) { directory_.set(std::move(assignments)); }

 private:
  Result<net::Address> listen(net::Address address);
  void offer_json();
  CoreConnections connections() const;
  std::vector<MethodFigures> methods() const { return method_metrics_.figures(); }
  Task<Result<std::string>> show_connections(net::HttpRequest request);
  Task<Result<std::string>> show_methods(net::HttpRequest request);

  AppletContext& context_;
  Logger log_;
  PublicServerOptions options_;
  Security& security_;
  Tracer* const tracer_;   // null: tracing is off
  net::TcpNetwork network_;
  net::TlsNetwork secure_network_;
  MethodMetrics method_metrics_;
  serve::ShardDirectory directory_;
  serve::OxiaService oxia_;
  serve::StoreV1Service store_v1_;
  // Where this process manages namespaces.
  std::optional<AdminService> admin_;
  std::optional<BackupService> backup_;
  rpc::Health health_;
  rpc::Reflection reflection_;
  rpc::Methods methods_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<TrafficMetrics> traffic_metrics_;
  rpc::JsonApi* json_api_ = nullptr;   // the operators' port's, on the first core
};

}   // namespace skerry::node
