// SPDX-License-Identifier: Apache-2.0
#include "control/cluster_backup.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hpp"
#include "control/backup_messages.hpp"
#include "control/node_messages.hpp"
#include "runtime/join.hpp"

namespace skerry::control {
namespace {

namespace admin_pb = admin::v1;

constexpr std::uint32_t usual_replicas = 3;   // of a namespace that comes from a standalone
constexpr Duration retry_pause = 100ms;

// In the order of their hashes.
std::vector<BackedUpShard> shards_of(const ClusterStatus& status, const std::string& name) {
  std::vector<BackedUpShard> shards;
  for (const auto& [id, shard] : status.shards) {
    if (shard.name_space == name && shard.state != ShardState::deleting) shards.push_back({id, shard.hashes});
  }
  std::ranges::sort(shards, {}, [](const BackedUpShard& each) { return each.hashes.min; });
  return shards;
}

bool is_reshaped(const ClusterStatus& status, const std::string& name) {
  return std::ranges::any_of(
      status.shards, [&](const auto& each) { return each.second.name_space == name && each.second.reshaped_with.has_value(); });
}

Result<> check_namespace(const ClusterStatus& status, const std::string& name) {
  const auto found = status.namespaces.find(name);
  if (found != status.namespaces.end() && !found->second.deleting) return {};
  return fail(Errc::not_found, fmt::format("there is no namespace {}", printable(name)));
}

NamespaceConfig namespace_of(const RestoreWish& wish) {
  return {.name = wish.name,
          .shards = static_cast<std::uint32_t>(wish.hashes.size()),
          .replicas = *wish.replicas,
          .notifications = wish.notifications,
          .order = wish.order};
}

}  // namespace

ClusterBackup::ClusterBackup(AdminOffice office, net::Network& network)
    : office_(std::move(office)), network_(network), backups_(office_.core, limits::backups_at_once_max),
      restores_(office_.core, limits::restores_at_once_max) {}

ClusterBackup::~ClusterBackup() = default;

void ClusterBackup::register_in(rpc::Methods& methods) {
  methods.server_stream<admin_pb::BackupRequest, admin_pb::BackupPart>(
      backup_method("Backup"), [this](rpc::ServerCall&, const admin_pb::BackupRequest& request, Parts& parts) {
        return backup(request.namespace_(), parts);
      });
  methods.unary<admin_pb::RestoreWish, admin_pb::CheckRestoreResponse>(
      backup_method("CheckRestore"), [this](rpc::ServerCall&, const admin_pb::RestoreWish& wish,
                                            admin_pb::CheckRestoreResponse&) { return check_restore(wish); });
  methods.client_stream<admin_pb::RestoreRequest, admin_pb::RestoreResponse>(
      backup_method("Restore"),
      [this](rpc::ServerCall&, Blocks& blocks, admin_pb::RestoreResponse& reply) { return restore(blocks, reply); });
}

Task<> ClusterBackup::stop() {
  for (const auto& [address, channel] : channels_) co_await channel->stop();
  channels_.clear();
}

Result<CoordinatorCore*> ClusterBackup::core() const {
  if (CoordinatorCore* const in_office = office_.coordinator.in_office()) return in_office;
  return fail(Errc::unavailable, "this coordinator is not in office any more: ask the one that is");
}

Result<rpc::Channel*> ClusterBackup::channel_to(NodeId node) {
  TRY(const CoordinatorCore* const in_office, core());
  const auto found = in_office->status().nodes.find(node);
  if (found == in_office->status().nodes.end()) return fail(Errc::unavailable, fmt::format("node {} has left", node.value()));
  std::unique_ptr<rpc::Channel>& channel = channels_[found->second.internal_address];
  if (!channel) {
    TRY(net::Address address, net::Address::parse(found->second.internal_address));
    channel =
        rpc::Channel::make(office_.core, network_, std::move(address), {.connect_timeout = limits::server_connect_patience});
  }
  return channel.get();
}

rpc::CallOptions ClusterBackup::options_for(NodeId node) const {
  rpc::CallOptions options{.deadline = no_deadline};
  options.metadata.add(instance_header, office_.coordinator.in_office()->status().instance);
  options.metadata.add(epoch_header, fmt::to_string(office_.coordinator.epoch()));
  options.metadata.add(to_header, fmt::to_string(node.value()));
  return options;
}

// --- backup

Task<rpc::Status> ClusterBackup::backup(std::string name, Parts& parts) {
  if (const auto in_office = office_.in_office(); !in_office) co_return in_office.error();
  const SemaphoreUnits turn = backups_.try_acquire();
  if (turn.count() == 0) {
    co_return rpc::Status{
        rpc::Code::resource_exhausted,
        fmt::format("{} backups are being made already: try again when one has ended", limits::backups_at_once_max),
        {}};
  }
  const auto whole = co_await wait_until_whole(name, office_.core.now() + limits::backup_patience);
  if (!whole) co_return rpc::Status::from(whole.error());
  const ClusterStatus& status = office_.coordinator.in_office()->status();
  const NamespaceStatus& space = status.namespaces.at(name);
  const std::vector<BackedUpShard> shards = shards_of(status, name);
  admin_pb::BackupPart part;
  admin_pb::BackupManifest& manifest = *part.mutable_manifest();
  manifest = write_manifest(name, space.order, space.notifications, shards);
  manifest.set_created_millis(static_cast<std::uint64_t>(office_.core.clock().wall().time_since_epoch().count()));
  manifest.set_instance(status.instance);
  manifest.set_replicas(space.replicas);
  if (const auto written = co_await parts.write(part); !written) co_return rpc::Status::from(written.error());
  for (const BackedUpShard& each : shards) {
    if (const auto sent = co_await send_shard(each.shard, parts); !sent) co_return rpc::Status::from(sent.error());
  }
  co_return rpc::Status();
}

// Its shards are known, and none of them is being split or merged.
Task<Result<>> ClusterBackup::wait_until_whole(const std::string& name, Deadline deadline) {
  for (;;) {
    CO_TRY(const CoordinatorCore* const in_office, core());
    CO_TRYV(check_namespace(in_office->status(), name));
    if (!is_reshaped(in_office->status(), name)) co_return Result<>{};
    if (office_.core.now() >= deadline) {
      co_return fail(Errc::unavailable,
                     fmt::format("a shard of {} is being split or merged: make the backup when that has ended", name));
    }
    co_await run_until(office_.core, office_.coordinator.wait_changed(), deadline);
  }
}

Task<Result<>> ClusterBackup::send_shard(ShardId shard, Parts& parts) {
  const Deadline deadline = office_.core.now() + limits::backup_patience;
  for (;;) {
    CO_TRY(const NodeId leader, co_await leader_of(shard, deadline));
    Passed passed = co_await pass_on(shard, leader, parts);
    if (passed.status.ok()) co_return Result<>{};
    if (passed.begun || office_.core.now() >= deadline) {
      co_return fail(Errc::unavailable, fmt::format("shard {} could not be read to its end: {}; make the backup again",
                                                    shard.value(), passed.status.message));
    }
    co_await office_.core.sleep_for(retry_pause);   // it may be led elsewhere by then
  }
}

Task<Result<NodeId>> ClusterBackup::leader_of(ShardId shard, Deadline deadline) {
  for (;;) {
    CO_TRY(const CoordinatorCore* const in_office, core());
    const auto found = in_office->status().shards.find(shard);
    if (found == in_office->status().shards.end() || found->second.state == ShardState::deleting) {
      co_return fail(Errc::aborted,
                     fmt::format("shard {} was split, merged or deleted meanwhile: make the backup again", shard.value()));
    }
    if (in_office->serves(shard)) co_return *found->second.leader;
    if (office_.core.now() >= deadline) {
      co_return fail(Errc::unavailable, fmt::format("nobody serves shard {}: {}", shard.value(), in_office->why_not_yet(shard)));
    }
    co_await run_until(office_.core, office_.coordinator.wait_changed(), std::min(deadline, office_.core.now() + retry_pause));
  }
}

Task<ClusterBackup::Passed> ClusterBackup::pass_on(ShardId shard, NodeId leader, Parts& parts) {
  const auto channel = channel_to(leader);
  if (!channel) co_return Passed{rpc::Status::from(channel.error())};
  const auto call = co_await (*channel)->open(node_method("ReadState"), options_for(leader));
  if (!call) co_return Passed{rpc::Status::from(call.error())};
  v1::ReadStateRequest request;
  request.set_shard(shard.value());
  static_cast<void>(co_await (*call)->write(request));   // how it ended tells
  static_cast<void>(co_await (*call)->finish_writing());
  v1::ReadStateReply reply;
  admin_pb::BackupPart part;
  bool begun = false;
  for (;;) {
    const auto more = co_await (*call)->read(reply);
    if (!more || !*more) break;
    part.set_block(std::move(*reply.mutable_block()));
    begun = true;
    if (const auto written = co_await parts.write(part); !written) co_return Passed{rpc::Status::from(written.error()), begun};
  }
  co_return Passed{co_await (*call)->finish(), begun};
}

// --- restore

// A restore that has begun: ends with it, and what came of it is deleted unless it has become a namespace.
class ClusterBackup::Begun {
 public:
  Begun(AdminOffice& office, std::string name) : office_(office), epoch_(office.coordinator.epoch()), name_(std::move(name)) {}
  Begun(const Begun&) = delete;
  Begun& operator=(const Begun&) = delete;
  ~Begun() {
    const auto in_office = core();
    if (!in_office) return;
    (*in_office)->give_up_restore(name_, office_.core.now());
    office_.coordinator.act_soon();
  }

  // Of the term of office in which it has begun. The next one has given it up, also when it is this process's, and may know
  // another restore by its name.
  Result<CoordinatorCore*> core() const {
    CoordinatorCore* const in_office = office_.coordinator.in_office();
    if (in_office != nullptr && office_.coordinator.epoch() == epoch_) return in_office;
    return fail(Errc::unavailable,
                fmt::format("another term of office has begun, and gives up the restore of {}: restore it again", name_));
  }

 private:
  AdminOffice& office_;
  const std::int64_t epoch_;
  const std::string name_;
};

Task<rpc::Status> ClusterBackup::check_restore(const admin_pb::RestoreWish& wish) {
  if (const auto in_office = office_.in_office(); !in_office) co_return in_office.error();
  const auto checked = check(wish);
  co_return checked ? rpc::Status() : rpc::Status::from(checked.error());
}

// What is wished for, with as many replicas as it will have.
Result<RestoreWish> ClusterBackup::check(const admin_pb::RestoreWish& asked) const {
  TRY(RestoreWish wish, read(asked));
  TRY(const CoordinatorCore* const in_office, core());
  if (in_office->config() == nullptr) return fail(Errc::unavailable, "the cluster has no configuration yet");
  ClusterConfig with = *in_office->config();
  if (!wish.replicas) wish.replicas = std::min(usual_replicas, static_cast<std::uint32_t>(with.servers.size()));
  TRYV(in_office->check_restore(wish));
  TRYV(with.add(namespace_of(wish)));
  TRYV(with.check());
  return wish;
}

Task<rpc::Status> ClusterBackup::restore(Blocks& blocks, admin_pb::RestoreResponse& reply) {
  const auto in_office = office_.in_office();
  if (!in_office) co_return in_office.error();
  const SemaphoreUnits turn = restores_.try_acquire();
  if (turn.count() == 0) {
    co_return rpc::Status{
        rpc::Code::resource_exhausted,
        fmt::format("{} restores are under way already: try again when one has ended", limits::restores_at_once_max),
        {}};
  }
  const auto restored = co_await restore_all(blocks, reply);
  co_return restored ? rpc::Status() : rpc::Status::from(restored.error());
}

Task<Result<>> ClusterBackup::restore_all(Blocks& blocks, admin_pb::RestoreResponse& reply) {
  admin_pb::RestoreRequest request;
  CO_TRY(const bool any, co_await blocks.next(request));
  if (!any || !request.has_wish()) co_return fail(Errc::invalid_argument, "a restore begins with what is wished for");
  CO_TRY(const RestoreWish wish, check(request.wish()));
  CO_TRY(CoordinatorCore* const in_office, core());
  CO_TRY(const auto begun, in_office->begin_restore(wish, office_.core.now()));
  const Begun restore(office_, wish.name);
  office_.coordinator.act();
  CO_TRYV(co_await office_.coordinator.wait_stored(begun.stored));
  std::map<ShardId, Term> terms;
  for (const RestoreStatus::Part& part : begun.parts) {
    CO_TRY(const v1::MakeReplicaReply made, co_await bring(restore, part, wish.order, blocks));
    terms[part.shard] = Term(made.term());
    reply.set_records(reply.records() + made.records());
    reply.set_shards(reply.shards() + 1);
  }
  CO_TRY(const bool more, co_await blocks.next(request));
  if (more) co_return fail(Errc::corrupt, "the backup goes on after its last shard");
  co_return co_await finish(namespace_of(wish), std::move(terms));
}

// The blocks of one shard, to the node that is to have it.
Task<Result<v1::MakeReplicaReply>> ClusterBackup::bring(const Begun& begun, const RestoreStatus::Part& part,
                                                        store::KeyOrder order, Blocks& blocks) {
  CO_TRYV(begun.core());
  CO_TRY(rpc::Channel* const channel, channel_to(part.node));
  CO_TRY(const auto call, co_await channel->open(node_method("MakeReplica"), options_for(part.node)));
  v1::MakeReplicaRequest made;
  made.mutable_replica()->set_shard(part.shard.value());
  made.mutable_replica()->set_key_order(write(order));
  bool taken = (co_await call->write(made)).has_value();
  store::SnapshotReader reader;
  const auto skip = [](store::Space, BytesView, BytesView) { return Result<>{}; };
  admin_pb::RestoreRequest request;
  while (taken && !reader.whole()) {
    CO_TRY(const bool more, co_await blocks.next(request));
    if (!more || !request.has_block()) co_return fail(Errc::corrupt, "the backup ends early: nothing of it was kept");
    CO_TRYV(begun.core());
    CO_TRYV(reader.take(request.block(), skip));
    made.set_block(std::move(*request.mutable_block()));
    taken = (co_await call->write(made)).has_value();
  }
  if (taken) static_cast<void>(co_await call->finish_writing());
  v1::MakeReplicaReply reply;
  const auto answered = co_await call->read(reply);
  const rpc::Status status = co_await call->finish();
  if (status.ok() && answered && *answered && is_possible(Term(reply.term()))) co_return reply;
  if (status.ok()) co_return fail(Errc::corrupt, fmt::format("node {} answered what makes no sense", part.node.value()));
  co_return fail(status.error().code, fmt::format("node {}: {}; nothing of it was kept", part.node.value(), status.message));
}

// In one step with the configuration, so that nobody sees the one without the other. Goes on though its caller goes: then the
// restore is given up, which refuses it.
Task<Result<>> ClusterBackup::finish(NamespaceConfig added, std::map<ShardId, Term> terms) {
  co_return co_await office_.change_config([coordinator = &office_.coordinator, added = std::move(added),
                                            terms = std::move(terms)](ClusterConfig& config) -> Result<> {
    CoordinatorCore* const in_office = coordinator->in_office();
    if (in_office == nullptr) return fail(Errc::unavailable, "this coordinator is not in office any more");
    TRYV(config.add(added));
    return in_office->complete_restore(added.name, terms);
  });
}

}  // namespace skerry::control
