// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "node/admin_namespaces.hpp"
#include "rpc/methods.hpp"
#include "runtime/semaphore.hpp"
#include "runtime/sharded.hpp"
#include "serve/shard_directory.hpp"
#include "skerry/admin/v1/backup.pb.h"

namespace skerry::node {

// skerry.admin.v1.Backup on one core: namespaces to streams of blocks and back. Lives on its core as long as the rpc server.
class BackupService {
 public:
  BackupService(Core& core, const Sharded<NamespaceAdmin>& namespaces, const Sharded<Storage>& storage,
                const Sharded<serve::ShardHost>& hosts);
  void register_in(rpc::Methods& methods);

 private:
  using Parts = rpc::Replies<admin::v1::BackupPart>;
  using Blocks = rpc::Requests<admin::v1::RestoreRequest>;
  Task<Result<>> backup(std::string name, Parts& parts);
  Task<Result<>> send_shard(ShardId id, std::uint32_t node, Parts& parts);
  Task<Result<>> check_restore(const admin::v1::RestoreWish& wish);
  Task<Result<>> restore(Blocks& blocks, admin::v1::RestoreResponse& reply);
  Task<Result<std::uint64_t>> take_shard(ShardId id, std::uint32_t node, store::KeyOrder order, Blocks& blocks);
  static Task<rpc::Status> ended(Task<Result<>> task);
  CoreId core_of(std::uint32_t node) const { return Storage::core_of(node, hosts_.size()); }

  const Sharded<NamespaceAdmin>& namespaces_;
  const Sharded<Storage>& storage_;
  const Sharded<serve::ShardHost>& hosts_;
  Semaphore backups_;   // at once
};

}   // namespace skerry::node
