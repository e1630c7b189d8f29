// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "skerry/admin/v1/backup.pb.h"
#include "store/snapshot_format.hpp"

// A backup as a file: what it begins with, and whether what follows is whole.
//   0  8  magic "SKERRYBK"
//   8  4  version, 1; integers are little endian
//  12  4  bytes of the manifest
//  16  4  CRC32C of bytes 8 to 15 and the manifest
//  20     the manifest, an encoded BackupManifest; then the blocks of its shards, one shard after the other
namespace skerry::node {

constexpr std::size_t preface_head_bytes = 20;
constexpr std::size_t manifest_bytes_max = 1 << 20;

Bytes encode_preface(const admin::v1::BackupManifest& manifest);
// How many bytes of manifest follow. Fails with corrupt, and with unsupported where a newer program wrote it. Requires:
// preface_head_bytes.
Result<std::size_t> manifest_length(BytesView head);
Result<admin::v1::BackupManifest> decode_preface(BytesView head, BytesView manifest);

// Follows the blocks of a backup. Fails, with corrupt, at the first that is not as it was made.
class BackupCheck {
 public:
  explicit BackupCheck(admin::v1::BackupManifest manifest) : manifest_(std::move(manifest)) {}
  Result<> take(BytesView block);
  // Fails with corrupt when something is missing.
  Result<> end() const;
  int shards() const { return shards_; }   // that are whole
  std::uint64_t records() const { return records_ + reader_.place().records; }
  std::uint64_t bytes() const { return bytes_; }
  const admin::v1::BackupManifest& manifest() const { return manifest_; }

 private:
  admin::v1::BackupManifest manifest_;
  store::SnapshotReader reader_;   // of the shard that it is at
  int shards_ = 0;
  std::uint64_t records_ = 0, bytes_ = 0;
};

}   // namespace skerry::node
