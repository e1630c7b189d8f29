// SPDX-License-Identifier: Apache-2.0
#include "node/coordinator_role.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "control/metadata_file.hpp"
#include "control/metadata_memory.hpp"
#include "node/admin_server.hpp"
#include "node/exposure.hpp"
#include "node/threshold.hpp"
#include "rpc/refusal.hpp"

namespace skerry::node {
namespace {

constexpr int exit_failed = 1;
constexpr auto drain_time = 1s;
constexpr Duration config_interval = 250ms;   // at which the configuration file is looked at
constexpr std::size_t config_bytes_max = 4 << 20;

int refuse(const Error& error) {
  fmt::print(stderr, "Error: {}\n", error.message());
  return exit_failed;
}

struct SeenFile {
  net::FileStamp stamp;
  Result<std::string> text;
};
SeenFile look_at(const std::string& path) {
  const net::FileStamp stamp = net::FileStamp::of(path);
  return {stamp, net::read_small_file(path, config_bytes_max)};
}

}  // namespace

CoordinatorRole::CoordinatorRole(AppletContext& context, CoordinatorOptions options, App* app)
    : context_(context), app_(app), log_(context.log("coordinator")), options_(std::move(options)), disk_(context.core),
      security_(context.get<Security>()), plain_network_(context.core),
      public_network_(context.core, plain_network_, {security_.public_tls(), rpc::refusal_without_tls}),
      internal_network_(context.core, plain_network_, {security_.internal_tls(), rpc::refusal_without_tls}),
      peer_network_(context.core, plain_network_, {security_.peer_tls()}), in_memory_(context.core), metadata_(make_metadata()), health_(context.core), tasks_(context.core) {
  coordinator_ = std::make_unique<control::Coordinator>(
      control::Coordinator::Parts{.core = context.core,
                                  .network = network(options_.security.peer_tls, peer_network_),
                                  .metadata = *metadata_,
                                  .logger = log_,
                                  .give_up = [this](Error why) { app_->fail(why.message()); }});
  health_.add_to(public_methods_);
  health_.add_to(internal_methods_);
  rpc::ServerOptions for_people = server_options("public");
  for_people.guard = security_.guard();
  public_server_ = rpc::Server::make(context.core, network(options_.security.public_tls, public_network_), public_methods_, for_people);
  internal_server_ = rpc::Server::make(context.core, network(options_.security.internal_tls, internal_network_), internal_methods_,
                                       server_options("internal"));
}

rpc::ServerOptions CoordinatorRole::server_options(const char* port) {
  rpc::ServerOptions options;
  options.on_handshake_failed = [this, port](const net::Address& peer, const Error& why) { security_.note_handshake(port, peer, why); };
  return options;
}

CoordinatorRole::~CoordinatorRole() = default;

std::unique_ptr<control::Metadata> CoordinatorRole::make_metadata() {
  const std::string address = options_.public_address.text();
  if (options_.metadata.provider == MetadataOptions::Provider::memory) {
    return std::make_unique<control::MetadataMemory>(context_.core, in_memory_, address);
  }
  return std::make_unique<control::MetadataFile>(context_.core, disk_,
                                                 control::MetadataFile::Options{options_.metadata.folder, address});
}

Task<Result<>> CoordinatorRole::start() {
  CO_TRY(const net::Address internal, internal_server_->start(options_.internal_address));
  CO_TRY(const net::Address address, public_server_->start(options_.public_address));
  health_.set("", rpc::Health::Serving::yes);
  tasks_.spawn(watch_config());
  coordinator_->start();
  log_.info("Started Grpc server", {{"address", address.text()}, {"internal", internal.text()}});
  co_return Result<>{};
}

Task<> CoordinatorRole::stop() {
  health_.set("", rpc::Health::Serving::no);
  co_await tasks_.cancel_and_join();
  co_await public_server_->stop(context_.core.now() + drain_time);
  co_await internal_server_->stop(context_.core.now() + drain_time);
  co_await coordinator_->stop();
  co_await metadata_->stop();
}

Task<> CoordinatorRole::watch_config() {
  for (;;) {
    const SeenFile seen = co_await context_.blocking().run([path = options_.config_file] { return look_at(path); });
    if (!config_seen_ || *config_seen_ != seen.stamp) {
      config_seen_ = seen.stamp;
      if (seen.text) {
        read_config(*seen.text);
      } else {
        log_.warn("the cluster's configuration can't be read; nothing changes until it can", {{"reason", seen.text.error()}});
      }
    }
    co_await context_.core.sleep_for(config_interval);
  }
}

void CoordinatorRole::read_config(std::string text) {
  Result<> done;
  if (auto config = control::ClusterConfig::from_yaml(text)) {
    done = coordinator_->configure(*std::move(config));
  } else {
    done = fail(config.error());
  }
  if (done) return log_.info("took the cluster's configuration", {{"file", options_.config_file}});
  log_.error("the cluster's configuration can't be followed; the one before stays",
             {{"file", options_.config_file}, {"reason", done.error()}});
}

Task<Result<>> CoordinatorRole::change_config(control::ClusterConfig config) {
  const std::string text = config.to_yaml();
  CO_TRYV(coordinator_->configure(std::move(config)));
  co_return co_await disk::replace_file(disk_, options_.config_file, text);
}

int run_coordinator(CoordinatorOptions options, LogRegistry& log) {
  const SystemClock clock;
  {
    Threshold threshold(clock);
    for (const net::Address& address : {options.public_address, options.internal_address}) {
      if (const auto free = threshold.check_free(address); !free) return refuse(free.error());
    }
    if (options.admin_address) {
      if (const auto free = threshold.check_free(*options.admin_address); !free) return refuse(free.error());
    }
  }
  const auto security = SecurityFiles::open(options.security);
  if (!security) return refuse(security.error());
  options.app.placement = *CorePlacement::parse("1", false);
  App app(options.app, clock, log);
  if (!options.insecure) {
    const Logger logger = log.logger("coordinator");
    const SecurityOptions& secured = options.security;
    const bool tokens = secured.auth.on();
    warn_of_exposure({options.public_address, "public", secured.public_tls, tokens}, logger);
    warn_of_exposure({options.internal_address, "internal", secured.internal_tls, false}, logger);
    if (options.admin_address) {
      warn_of_exposure({*options.admin_address, "metrics", secured.admin_tls, tokens && secured.admin_auth}, logger);
    }
  }
  app.add<Security>("security", *security);
  if (options.admin_address) app.add<AdminServer>("admin", AdminServerOptions{.address = *options.admin_address, .json_api = true});
  app.add<CoordinatorRole>("coordinator", options, &app);
  if (options.admin_address) app.add<AdminReadiness>("ready");
  return app.run();
}

}  // namespace skerry::node
