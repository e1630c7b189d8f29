// SPDX-License-Identifier: Apache-2.0
#include "control/backup_messages.hpp"

#include <fmt/format.h>

#include "base/limits.hpp"

namespace skerry::control {
namespace {

constexpr auto natural_order = "natural", hierarchical_order = "hierarchical";

}  // namespace

admin::v1::BackupManifest write_manifest(const std::string& name, store::KeyOrder order, bool notifications,
                                         const std::vector<BackedUpShard>& shards) {
  admin::v1::BackupManifest manifest;
  manifest.set_namespace_(name);
  manifest.set_key_sorting(order == store::KeyOrder::natural ? natural_order : hierarchical_order);
  manifest.set_notifications_enabled(notifications);
  for (const BackedUpShard& each : shards) {
    admin::v1::BackupManifest::Shard& shard = *manifest.add_shards();
    shard.set_shard(each.shard.value());
    shard.set_hash_min(each.hashes.min);
    shard.set_hash_max(each.hashes.max);
  }
  return manifest;
}

Result<RestoreWish> read(const admin::v1::RestoreWish& wish) {
  const admin::v1::BackupManifest& manifest = wish.manifest();
  if (manifest.key_sorting() != natural_order && manifest.key_sorting() != hierarchical_order) {
    return fail(Errc::invalid_argument,
                fmt::format("the backup's key sorting {} is not known", printable(manifest.key_sorting())));
  }
  const auto shards = static_cast<std::uint32_t>(manifest.shards_size());
  if (shards == 0 || shards > limits::namespace_shards_max) {
    return fail(Errc::invalid_argument,
                fmt::format("the backup has {} shards: 1 to {} are possible", shards, limits::namespace_shards_max));
  }
  RestoreWish read{.name = wish.namespace_(),
                   .order = manifest.key_sorting() == natural_order ? store::KeyOrder::natural : store::KeyOrder::hierarchical,
                   .notifications = manifest.notifications_enabled(),
                   .hashes = {}};
  if (const std::uint32_t replicas = wish.replicas() != 0 ? wish.replicas() : manifest.replicas(); replicas != 0) {
    read.replicas = replicas;
  }
  std::uint64_t next = 0;
  for (const admin::v1::BackupManifest::Shard& shard : manifest.shards()) {
    if (shard.hash_min() != next || shard.hash_max() < shard.hash_min()) break;
    read.hashes.push_back({shard.hash_min(), shard.hash_max()});
    next = std::uint64_t{shard.hash_max()} + 1;
  }
  if (read.hashes.size() == shards && next == std::uint64_t{UINT32_MAX} + 1) return read;
  return fail(Errc::invalid_argument, "the backup's shards don't divide all hashes among themselves");
}

}  // namespace skerry::control
