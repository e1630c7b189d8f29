// SPDX-License-Identifier: Apache-2.0
#include "node/coordinator_role.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <functional>

#include "control/metadata_file.hpp"
#include "control/metadata_memory.hpp"
#include "node/admin_server.hpp"
#include "node/exposure.hpp"
#include "node/start_refusal.hpp"
#include "node/threshold.hpp"
#include "rpc/refusal.hpp"
#include "runtime/event.hpp"
#include "runtime/join.hpp"

namespace skerry::node {
namespace {

constexpr auto office_drain_time = 1s;
constexpr Duration config_interval = 250ms;   // at which the configuration file is looked at
constexpr std::size_t config_bytes_max = 4 << 20;

struct SeenFile {
  net::FileStamp stamp;
  Result<std::string> text;
};
SeenFile look_at(const std::string& path) {
  const net::FileStamp stamp = net::FileStamp::of(path);
  return {stamp, net::read_small_file(path, config_bytes_max)};
}

}  // namespace

struct CoordinatorRole::Outcome {
  explicit Outcome(Core& core) : done(core) {}
  Result<> result;
  Event done;
};

CoordinatorRole::CoordinatorRole(AppletContext& context, CoordinatorOptions options, App* app)
    : context_(context), app_(app), log_(context.log("coordinator")), options_(std::move(options)), disk_(context.core),
      security_(context.get<Security>()), plain_network_(context.core),
      public_network_(context.core, plain_network_, {security_.public_tls(), rpc::refusal_without_tls}),
      internal_network_(context.core, plain_network_, {security_.internal_tls(), rpc::refusal_without_tls}),
      peer_network_(context.core, plain_network_, {security_.peer_tls()}), in_memory_(context.core), metadata_(make_metadata()),
      coordinator_(std::make_unique<control::Coordinator>(
          control::Coordinator::Parts{.core = context.core,
                                      .network = network(options_.security.peer_tls, peer_network_),
                                      .metadata = *metadata_,
                                      .logger = log_,
                                      .give_up = [this](Error why) { app_->fail(why.message()); }})),
      metrics_(context.metrics(), options_.public_address.text(), *coordinator_),
      admin_({context.core, *coordinator_, std::bind_front(&CoordinatorRole::change_config, this)}),
      cluster_admin_({context.core, *coordinator_, std::bind_front(&CoordinatorRole::change_config, this)}),
      cluster_backup_({context.core, *coordinator_, std::bind_front(&CoordinatorRole::change_config, this)},
                      network(options_.security.peer_tls, peer_network_)),
      health_(context.core),
      config_file_(raft_ != nullptr ? control::ConfigFile::Keeper::several : control::ConfigFile::Keeper::alone),
      turn_(context.core, 1), tasks_(context.core) {
  admin_.register_in(public_methods_);
  cluster_admin_.register_in(public_methods_);
  cluster_backup_.register_in(public_methods_);
  health_.add_to(public_methods_);
  reflection_.add_to(public_methods_);
  health_.add_to(internal_methods_);
  if (raft_ != nullptr) raft_->register_in(internal_methods_);
  rpc::ServerOptions for_people = server_options("public");
  for_people.guard = security_.guard();
  public_server_ =
      rpc::Server::make(context.core, network(options_.security.public_tls, public_network_), public_methods_, for_people);
  internal_server_ = rpc::Server::make(context.core, network(options_.security.internal_tls, internal_network_),
                                       internal_methods_, server_options("internal"));
}

rpc::ServerOptions CoordinatorRole::server_options(const char* port) {
  rpc::ServerOptions options;
  options.on_handshake_failed = [this, port](const net::Address& peer, const Error& why) {
    security_.note_handshake(port, peer, why);
  };
  return options;
}

CoordinatorRole::~CoordinatorRole() = default;

std::unique_ptr<control::Metadata> CoordinatorRole::make_metadata() {
  const std::string address = options_.public_address.text();
  if (options_.metadata.provider == MetadataOptions::Provider::memory) {
    return std::make_unique<control::MetadataMemory>(context_.core, in_memory_, address);
  }
  if (options_.metadata.provider == MetadataOptions::Provider::raft) {
    control::MetadataRaft::Options raft{.folder = options_.metadata.folder,
                                        .cluster = options_.metadata.cluster,
                                        .members = *options_.metadata.members,
                                        .address = address};
    auto made = std::make_unique<control::MetadataRaft>(context_.core, disk_, network(options_.security.peer_tls, peer_network_),
                                                        std::move(raft), log_);
    raft_ = made.get();
    return made;
  }
  return std::make_unique<control::MetadataFile>(context_.core, disk_,
                                                 control::MetadataFile::Options{options_.metadata.folder, address});
}

Task<Result<>> CoordinatorRole::start() {
  CO_TRY(const net::Address internal, internal_server_->start(options_.internal_address));
  CO_TRY(const net::Address address, public_server_->start(options_.public_address));
  health_.set("", rpc::Health::Serving::yes);
  offer_json();
  if (security_.guard() != nullptr) security_.set_recheck(std::bind_front(&CoordinatorRole::recheck_callers, this));
  tasks_.spawn(watch_config());
  coordinator_->start();
  log_.info("Started Grpc server", {{"address", address.text()}, {"internal", internal.text()}});
  co_return Result<>{};
}

// What is answered here is answered as JSON, too, where operators ask.
void CoordinatorRole::offer_json() {
  const auto* admin = context_.find_sharded<AdminServer>();
  json_api_ = admin != nullptr ? admin->local(context_.core.id()).json_api() : nullptr;
  if (json_api_ == nullptr) return;
  json_api_->add({.methods = &public_methods_, .authority = options_.public_address.text(), .guard = security_.guard()});
}

void CoordinatorRole::recheck_callers() {
  public_server_->recheck_callers();
  if (json_api_ != nullptr) json_api_->recheck_callers();
}

Task<> CoordinatorRole::stop() {
  security_.set_recheck(nullptr);
  health_.set("", rpc::Health::Serving::no);
  if (json_api_ != nullptr) co_await json_api_->remove(public_methods_);
  co_await public_server_->stop(context_.core.now() + office_drain_time);
  co_await cluster_backup_.stop();
  co_await tasks_.cancel_and_join();
  co_await internal_server_->stop(context_.core.now() + office_drain_time);
  co_await coordinator_->stop();
  co_await metadata_->stop();
}

Task<> CoordinatorRole::watch_config() {
  for (TimePoint looked_at = {};;) {
    if (const TimePoint now = context_.core.now(); now >= looked_at + config_interval) {
      looked_at = now;
      co_await look_at_config();
    }
    co_await follow_config();
    co_await run_until(context_.core, coordinator_->wait_changed(), looked_at + config_interval);
  }
}

// Not while an edit is under way, whose former file would be taken for news.
Task<> CoordinatorRole::look_at_config() {
  const auto turn = co_await turn_.acquire();
  const SeenFile seen = co_await context_.blocking().run([path = options_.config_file] { return look_at(path); });
  if (config_seen_ && *config_seen_ == seen.stamp) co_return;
  config_seen_ = seen.stamp;
  if (!seen.text) {
    config_file_.unusable();
    log_.warn("the cluster's configuration can't be read; nothing changes until it can", {{"reason", seen.text.error()}});
  } else if (auto config = control::ClusterConfig::from_yaml(*seen.text)) {
    config_file_.read(*std::move(config));
  } else {
    config_file_.unusable();
    refuse_config(config.error());
  }
}

void CoordinatorRole::refuse_config(const Error& why) {
  log_.error("the cluster's configuration can't be followed; the one before stays",
             {{"file", options_.config_file}, {"reason", why}});
}

// What the file and the configuration of the cluster ask of each other.
Task<> CoordinatorRole::follow_config() {
  const auto turn = co_await turn_.acquire();
  const bool in_office = coordinator_->in_office() != nullptr;
  if (in_office && std::exchange(epoch_, coordinator_->epoch()) != coordinator_->epoch()) config_file_.entered_office();
  using File = control::ConfigFile;
  auto step = config_file_.next(coordinator_->configuration(), in_office ? File::Office::in : File::Office::out);
  if (auto* take = std::get_if<File::Take>(&step)) {
    co_await take_config(std::move(take->config));
  } else if (auto* write = std::get_if<File::Write>(&step)) {
    if (const auto written = co_await write_config(std::move(write->config))) {
      log_.info("the cluster's configuration has changed; so has the file", {{"file", options_.config_file}});
    } else {
      log_.warn("the cluster's configuration has changed, and the file could not be", {{"reason", written.error()}});
    }
  } else if (std::holds_alternative<File::Tell>(step)) {
    log_.warn(
        in_office
            ? "the file differs from the cluster's configuration, which acts: save the file again to make it the configuration"
            : "the file differs from the cluster's configuration, which acts: change the file of the coordinator in office",
        {{"file", options_.config_file}, {"coordinator", coordinator_->holder()}});
  }
}

Task<> CoordinatorRole::take_config(control::ClusterConfig config) {
  const auto number = coordinator_->configure(std::move(config));
  if (!number) co_return refuse_config(number.error());
  if (const auto stored = co_await coordinator_->wait_stored(*number); !stored) co_return refuse_config(stored.error());
  log_.info("took the cluster's configuration", {{"file", options_.config_file}});
}

Task<Result<>> CoordinatorRole::write_config(control::ClusterConfig config) {
  CO_TRYV(co_await disk::replace_file(disk_, options_.config_file, config.to_yaml()));
  config_file_.wrote(std::move(config));
  co_return Result<>{};
}

Task<Result<>> CoordinatorRole::change_config(control::ConfigEdit edit) {
  const auto outcome = std::make_shared<Outcome>(context_.core);
  tasks_.spawn(carry_out(std::move(edit), outcome));
  co_await outcome->done.wait();
  co_return outcome->result;
}

Task<> CoordinatorRole::carry_out(control::ConfigEdit edit, std::shared_ptr<Outcome> outcome) {
  if (const auto turn = co_await turn_.acquire(); turn) {
    outcome->result = co_await edit_config(std::move(edit));
  } else {
    outcome->result = fail(turn.error());
  }
  outcome->done.set();
}

Task<Result<>> CoordinatorRole::edit_config(control::ConfigEdit edit) {
  control::CoordinatorCore* const core = coordinator_->in_office();
  if (core == nullptr) co_return fail(Errc::unavailable, "this coordinator is not in office any more: ask the one that is");
  if (core->config() == nullptr)
    co_return fail(Errc::unavailable, "the coordinator has not read the cluster's configuration yet");
  control::ClusterConfig config = *core->config();
  CO_TRYV(edit(config));
  CO_TRY(const control::CommitNumber number, coordinator_->configure(config));
  CO_TRYV(co_await coordinator_->wait_stored(number));
  const auto written = co_await write_config(std::move(config));
  if (written) co_return Result<>{};
  if (raft_ != nullptr) {   // the others have it, and so has this one when it is started again
    log_.warn("the cluster's configuration has changed, and the file could not be", {{"reason", written.error()}});
    co_return Result<>{};
  }
  co_return fail(written.error().code,
                 fmt::format("the change is in force until the coordinator is restarted, and could not be written: {}",
                             written.error().message()));
}

int run_coordinator(CoordinatorOptions options, LogRegistry& log) {
  const SystemClock clock;
  {
    Threshold threshold(clock);
    for (const net::Address& address : {options.public_address, options.internal_address}) {
      if (const auto free = threshold.check_free(address); !free) return refuse_start(free.error());
    }
    if (options.admin_address) {
      if (const auto free = threshold.check_free(*options.admin_address); !free) return refuse_start(free.error());
    }
  }
  const auto security = SecurityFiles::open(options.security);
  if (!security) return refuse_configuration(security.error());
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
  if (options.admin_address)
    app.add<AdminServer>(
        "admin", AdminServerOptions{.address = *options.admin_address,
                                    .json_api = serves_json(ServeJson::by_itself, *options.admin_address, options.security)});
  app.add<CoordinatorRole>("coordinator", options, &app);
  if (options.admin_address) app.add<AdminReadiness>("ready");
  return app.run();
}

}  // namespace skerry::node
