// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <string>

#include "control/admin_office.hpp"
#include "control/restore_wish.hpp"
#include "net/stream.hpp"
#include "rpc/channel.hpp"
#include "rpc/methods.hpp"
#include "runtime/semaphore.hpp"
#include "skerry/admin/v1/backup.pb.h"
#include "skerry/control/v1/control.pb.h"
#include "store/snapshot_format.hpp"

namespace skerry::control {

// skerry.admin.v1.Backup of a cluster: passes the states of its shards from their leaders to who makes a backup, and those of a
// backup to the nodes that are to have them (restores.hpp). Over connections of its own, so that nothing waits for them that the
// cluster needs. One core's, the coordinator's; stop() after the server that has the methods.
class ClusterBackup {
 public:
  ClusterBackup(AdminOffice office, net::Network& network);
  ~ClusterBackup();
  void register_in(rpc::Methods& methods);
  Task<> stop();

 private:
  using Parts = rpc::Replies<admin::v1::BackupPart>;
  using Blocks = rpc::Requests<admin::v1::RestoreRequest>;
  class Begun;

  Task<rpc::Status> backup(std::string name, Parts& parts);
  Task<Result<>> send_shard(ShardId shard, Parts& parts);
  Task<Result<NodeId>> leader_of(ShardId shard, Deadline deadline);
  Task<Result<>> wait_until_whole(const std::string& name, Deadline deadline);
  struct Passed {
    rpc::Status status;
    bool begun = false;   // a part of it has been sent on
  };
  Task<Passed> pass_on(ShardId shard, NodeId leader, Parts& parts);

  Result<RestoreWish> check(const admin::v1::RestoreWish& asked) const;
  Task<rpc::Status> check_restore(const admin::v1::RestoreWish& wish);
  Task<rpc::Status> restore(Blocks& blocks, admin::v1::RestoreResponse& reply);
  Task<Result<>> restore_all(Blocks& blocks, admin::v1::RestoreResponse& reply);
  Task<Result<v1::MakeReplicaReply>> bring(const Begun& begun, const RestoreStatus::Part& part, store::KeyOrder order,
                                           Blocks& blocks);
  Task<Result<>> finish(NamespaceConfig added, std::map<ShardId, Term> terms);

  Result<CoordinatorCore*> core() const;
  Result<rpc::Channel*> channel_to(NodeId node);
  rpc::CallOptions options_for(NodeId node) const;

  AdminOffice office_;
  net::Network& network_;
  std::map<std::string, std::unique_ptr<rpc::Channel>> channels_;   // by address
  Semaphore backups_, restores_;   // at once
};

}   // namespace skerry::control
