// SPDX-License-Identifier: Apache-2.0
#include "node/public_server.hpp"

#include "node/admin_namespaces.hpp"
#include "node/admin_server.hpp"
#include "node/cluster_node.hpp"
#include "rpc/refusal.hpp"

namespace skerry::node {
namespace {

// How long calls that are running when the process stops may take to end.
constexpr auto public_drain_time = 3s;

net::PortUse port_use(const AppletContext& context, PublicPort port) {
  if (port == PublicPort::each_core || context.cores().size() == 1) return net::PortUse::alone;
  return context.core.id() == CoreId{0} ? net::PortUse::first : net::PortUse::join;
}

Tracer* tracer_of(const AppletContext& context) {
  const auto* tracing = context.find_sharded<Tracing>();
  return tracing != nullptr ? tracing->local(context.core.id()).tracer() : nullptr;
}

}  // namespace

PublicServer::PublicServer(AppletContext& context, PublicServerOptions options, Sharded<serve::ShardHost>* hosts)
    : context_(context), log_(context.log("public")), options_(std::move(options)), security_(context.get<Security>()),
      tracer_(tracer_of(context)), network_(context.core, {.port = port_use(context, options_.port)}),
      secure_network_(context.core, network_, {security_.public_tls(), rpc::refusal_without_tls}),
      method_metrics_(context.metrics()), directory_(context.core),
      oxia_(context.core, *hosts, directory_, {options_.authority_check}),
      store_v1_(context.core, *hosts, directory_, options_.authority_check), health_(context.core) {
  if (options_.assignments) directory_.set(options_.assignments);   // before any core listens
  oxia_.register_in(methods_);
  store_v1_.register_in(methods_);
  if (const auto* namespaces = context.find_sharded<NamespaceAdmin>()) {
    admin_.emplace(*namespaces).register_in(methods_);
    backup_.emplace(context.core, *namespaces, context.sharded<Storage>(), *hosts).register_in(methods_);
  }
  health_.add_to(methods_);
  reflection_.add_to(methods_);
  rpc::ServerOptions server;
  server.stats = &method_metrics_;
  server.guard = security_.guard();
  server.tracer = tracer_;
  server.on_handshake_failed = [this](const net::Address& peer, const Error& why) {
    security_.note_handshake("public", peer, why);
  };
  server_ = rpc::Server::make(
      context.core, security_.options().public_tls ? static_cast<net::Network&>(secure_network_) : network_, methods_, server);
  traffic_metrics_ = std::make_unique<TrafficMetrics>(context.metrics(), *server_);
}

Task<Result<>> PublicServer::start() {
  if (security_.guard() != nullptr) {
    security_.set_recheck([this] {
      server_->recheck_callers();
      if (json_api_ != nullptr) json_api_->recheck_callers();
    });
  }
  health_.set("", rpc::Health::Serving::yes);
  health_.set("oxia-readiness", rpc::Health::Serving::yes);
  if (options_.port == PublicPort::each_core) {
    CO_TRY(const net::Address address, listen(node_address(options_.address, context_.core.id())));
    if (context_.core.id() == CoreId{0}) offer_json();
    log_.info("Started Grpc server", {{"address", address.text()}});
    co_return Result<>{};
  }
  if (context_.core.id() != CoreId{0}) co_return Result<>{};   // the first core starts them all
  CO_TRY(const net::Address address, listen(options_.address));
  const auto& siblings = context_.sharded<PublicServer>();
  for (std::uint32_t core = 1; core < siblings.size(); ++core) {
    const Result<net::Address> listening = co_await siblings.invoke_on(CoreId{core}, &PublicServer::listen, address);
    if (!listening) co_return fail(listening.error());
  }
  offer_json();
  log_.info("Started Grpc server", {{"address", address.text()}, {"cores", siblings.size()}});
  co_return Result<>{};
}

Result<net::Address> PublicServer::listen(net::Address address) { return server_->start(address); }

// What is answered here is answered as JSON, too, where operators ask.
void PublicServer::offer_json() {
  const auto* admin = context_.find_sharded<AdminServer>();
  json_api_ = admin != nullptr ? admin->local(context_.core.id()).json_api() : nullptr;
  if (json_api_ == nullptr) return;
  json_api_->add({.methods = &methods_,
                  .authority = options_.address.text(),
                  .guard = security_.guard(),
                  .tracer = tracer_,
                  .stats = &method_metrics_});
  json_api_->add_view("connections", std::bind_front(&PublicServer::show_connections, this));
  json_api_->add_view("methods", std::bind_front(&PublicServer::show_methods, this));
}

CoreConnections PublicServer::connections() const { return {context_.core.id(), server_->figures(), server_->connections()}; }

Task<Result<std::string>> PublicServer::show_connections(net::HttpRequest request) {
  const auto join = [](std::vector<CoreConnections> all, CoreConnections one) {
    all.push_back(std::move(one));
    return all;
  };
  const auto all =
      co_await context_.sharded<PublicServer>().map_reduce(std::vector<CoreConnections>(), join, &PublicServer::connections);
  co_return connections_json(all, request.query);
}

Task<Result<std::string>> PublicServer::show_methods(net::HttpRequest) {
  const auto join = [](std::vector<MethodFigures> all, std::vector<MethodFigures> more) {
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  co_return methods_json(
      co_await context_.sharded<PublicServer>().map_reduce(std::vector<MethodFigures>(), join, &PublicServer::methods));
}

Task<> PublicServer::stop() {
  security_.set_recheck(nullptr);
  health_.set("", rpc::Health::Serving::no);
  health_.set("oxia-readiness", rpc::Health::Serving::no);
  if (json_api_ != nullptr) {
    json_api_->remove_view("connections");
    json_api_->remove_view("methods");
    co_await json_api_->remove(methods_);
  }
  co_await server_->stop(context_.core.now() + public_drain_time);
}

}  // namespace skerry::node
