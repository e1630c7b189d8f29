// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "control/restore_wish.hpp"
#include "skerry/admin/v1/backup.pb.h"

// Between skerry.admin.v1.Backup and our own words; standalone and cluster share them.
namespace skerry::control {

inline std::string backup_method(std::string_view name) { return "/skerry.admin.v1.Backup/" + std::string(name); }

struct BackedUpShard {
  ShardId shard;
  HashRange hashes;
};
admin::v1::BackupManifest write_manifest(const std::string& name, store::KeyOrder order, bool notifications,
                                         const std::vector<BackedUpShard>& shards);

// Fails with invalid_argument where no namespace can be that.
Result<RestoreWish> read(const admin::v1::RestoreWish& wish);

}   // namespace skerry::control
