// SPDX-License-Identifier: Apache-2.0
#include "node/backup_service.hpp"

#include <fmt/format.h>

#include "base/limits.hpp"
#include "control/backup_messages.hpp"
#include "serve/shard_calls.hpp"

namespace skerry::node {
namespace {

namespace admin_pb = admin::v1;

rpc::Status backup_status(const Result<>& result) { return result ? rpc::Status() : rpc::Status::from(result.error()); }

// A pinned view of a shard, on its core.
struct PinnedShard {
  replica::ShardUse shard;
  std::unique_ptr<store::SnapshotSource> source;
};
using RemoteShard = std::shared_ptr<ForeignPtr<PinnedShard>>;

Task<Result<RemoteShard>> pin(serve::ShardHost& host, Core* core, ShardId id) {
  CO_TRY(replica::ShardUse shard, serve::open_shard(host, id));
  if (!shard->serves()) co_return fail(Errc::unavailable, fmt::format("shard {} is not led here now; try again", id.value()));
  CO_TRY(auto source, co_await shard->snapshot());
  co_return std::make_shared<ForeignPtr<PinnedShard>>(*core, std::make_unique<PinnedShard>(std::move(shard), std::move(source)));
}

Task<Result<std::optional<Bytes>>> next_block(RemoteShard shard) { co_return co_await (*shard)->source->next(); }

admin_pb::BackupManifest manifest_of(const std::string& name, const NamespaceStatus& space, const std::string& instance,
                                     WallTime now) {
  std::vector<control::BackedUpShard> shards;
  for (const auto& [id, shard] : space.shards) shards.push_back({id, shard.hashes});
  admin_pb::BackupManifest manifest = control::write_manifest(name, space.order, space.notifications, shards);
  manifest.set_created_millis(static_cast<std::uint64_t>(now.time_since_epoch().count()));
  manifest.set_instance(instance);
  return manifest;
}

Result<NewNamespace> wish_of(const admin_pb::RestoreWish& wish) {
  if (wish.replicas() > 1) {
    return fail(Errc::invalid_argument, "one machine keeps one copy of each shard: leave the number of replicas away");
  }
  TRY(control::RestoreWish read, control::read(wish));
  return NewNamespace{.name = std::move(read.name),
                      .shards = static_cast<std::uint32_t>(read.hashes.size()),
                      .order = read.order,
                      .notifications = read.notifications,
                      .hashes = std::move(read.hashes)};
}

}  // namespace

BackupService::BackupService(Core& core, const Sharded<NamespaceAdmin>& namespaces, const Sharded<Storage>& storage,
                             const Sharded<serve::ShardHost>& hosts)
    : namespaces_(namespaces), storage_(storage), hosts_(hosts), backups_(core, limits::backups_at_once_max) {}

void BackupService::register_in(rpc::Methods& methods) {
  methods.server_stream<admin_pb::BackupRequest, admin_pb::BackupPart>(
      control::backup_method("Backup"),
      [this](rpc::ServerCall&, const admin_pb::BackupRequest& request, Parts& parts) -> Task<rpc::Status> {
        return ended(backup(request.namespace_(), parts));
      });
  methods.unary<admin_pb::RestoreWish, admin_pb::CheckRestoreResponse>(
      control::backup_method("CheckRestore"),
      [this](rpc::ServerCall&, const admin_pb::RestoreWish& wish, admin_pb::CheckRestoreResponse&) -> Task<rpc::Status> {
        return ended(check_restore(wish));
      });
  methods.client_stream<admin_pb::RestoreRequest, admin_pb::RestoreResponse>(
      control::backup_method("Restore"),
      [this](rpc::ServerCall&, Blocks& blocks, admin_pb::RestoreResponse& reply) -> Task<rpc::Status> {
        return ended(restore(blocks, reply));
      });
}

Task<rpc::Status> BackupService::ended(Task<Result<>> task) { co_return backup_status(co_await std::move(task)); }

// --- backup

Task<Result<>> BackupService::backup(std::string name, Parts& parts) {
  const SemaphoreUnits turn = backups_.try_acquire();
  if (turn.count() == 0) {
    co_return fail(Errc::resource_exhausted,
                   fmt::format("{} backups are being made already: try again when one has ended", limits::backups_at_once_max));
  }
  const ClusterStatus status = co_await namespaces_.invoke_on(CoreId{0}, &NamespaceAdmin::status);
  const auto found = status.namespaces.find(name);
  if (found == status.namespaces.end()) co_return fail(Errc::not_found, fmt::format("there is no namespace {}", printable(name)));
  const Core& here = Core::of(co_await asio::this_coro::executor);
  admin_pb::BackupPart part;
  *part.mutable_manifest() = manifest_of(name, found->second, status.instance_id, here.clock().wall());
  CO_TRYV(co_await parts.write(part));
  for (const auto& [id, shard] : found->second.shards) CO_TRYV(co_await send_shard(id, shard.node, parts));
  co_return Result<>{};
}

Task<Result<>> BackupService::send_shard(ShardId id, std::uint32_t node, Parts& parts) {
  Cores& cores = hosts_.cores();
  const CoreId core = core_of(node);
  CO_TRY(const RemoteShard shard, co_await hosts_.invoke_on(core, pin, &cores.core(core), id));
  admin_pb::BackupPart part;
  for (;;) {
    CO_TRY(auto block, co_await cores.call(core, next_block, shard));
    if (!block) co_return Result<>{};
    part.set_block(*std::move(block));
    CO_TRYV(co_await parts.write(part));
  }
}

// --- restore

Task<Result<>> BackupService::check_restore(const admin_pb::RestoreWish& asked) {
  CO_TRY(NewNamespace wish, wish_of(asked));
  co_return co_await namespaces_.invoke_on(CoreId{0}, &NamespaceAdmin::check_restore, std::move(wish));
}

Task<Result<>> BackupService::restore(Blocks& blocks, admin_pb::RestoreResponse& reply) {
  admin_pb::RestoreRequest request;
  CO_TRY(const bool begun, co_await blocks.next(request));
  if (!begun || !request.has_wish()) co_return fail(Errc::invalid_argument, "a restore begins with what is wished for");
  CO_TRY(NewNamespace wish, wish_of(request.wish()));
  const std::string name = wish.name;
  const auto order = wish.order;
  CO_TRY(const auto begun_restore, co_await namespaces_.invoke_on(CoreId{0}, &NamespaceAdmin::begin_restore, std::move(wish)));
  for (const auto& [id, shard] : begun_restore.space.shards) {
    CO_TRY(const std::uint64_t records, co_await take_shard(id, shard.node, order, blocks));
    reply.set_records(reply.records() + records);
    reply.set_shards(reply.shards() + 1);
  }
  CO_TRY(const bool more, co_await blocks.next(request));
  if (more) co_return fail(Errc::corrupt, "the backup goes on after its last shard");
  co_return co_await namespaces_.invoke_on(CoreId{0}, &NamespaceAdmin::finish_restore, name);
}

// Returns how many records it had.
Task<Result<std::uint64_t>> BackupService::take_shard(ShardId id, std::uint32_t node, store::KeyOrder order, Blocks& blocks) {
  admin_pb::RestoreRequest request;
  for (;;) {
    CO_TRY(const bool more, co_await blocks.next(request));
    if (!more || !request.has_block()) co_return fail(Errc::corrupt, "the backup ends early: nothing of it was kept");
    CO_TRY(const auto records,
           co_await storage_.invoke_on(core_of(node), &Storage::restore, id, node, order, std::move(*request.mutable_block())));
    if (records) co_return *records;
  }
}

}   // namespace skerry::node
