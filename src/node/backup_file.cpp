// SPDX-License-Identifier: Apache-2.0
#include "node/backup_file.hpp"

#include <fmt/format.h>

#include "base/hash.hpp"

namespace skerry::node {
namespace {

constexpr BytesView magic = "SKERRYBK";
constexpr std::uint32_t version = 1;

std::uint32_t checksum(std::uint32_t of_version, BytesView manifest) {
  Bytes fields;
  append_little_endian(fields, of_version);
  append_little_endian(fields, static_cast<std::uint32_t>(manifest.size()));
  return crc32c(manifest, crc32c(fields));
}

Result<> ignore(store::Space, BytesView, BytesView) { return {}; }

}  // namespace

Bytes encode_preface(const admin::v1::BackupManifest& manifest) {
  const std::string encoded = manifest.SerializeAsString();
  Bytes out(magic);
  append_little_endian(out, version);
  append_little_endian(out, static_cast<std::uint32_t>(encoded.size()));
  append_little_endian(out, checksum(version, encoded));
  return out + encoded;
}

Result<std::size_t> manifest_length(BytesView head) {
  ByteReader reader(head);
  if (reader.bytes(magic.size()) != magic) return fail(Errc::corrupt, "this is no backup: it does not begin as one");
  const auto written = reader.little_endian<std::uint32_t>();
  const auto length = reader.little_endian<std::uint32_t>();
  if (!reader.ok() || length > manifest_bytes_max) return fail(Errc::corrupt, "the backup is damaged at its beginning");
  if (written > version) {
    return fail(Errc::unsupported,
                fmt::format("the backup is of version {}, this program reads {}: use a newer one", written, version));
  }
  return length;
}

Result<admin::v1::BackupManifest> decode_preface(BytesView head, BytesView manifest) {
  ByteReader reader(head);
  reader.bytes(magic.size());
  const auto written = reader.little_endian<std::uint32_t>();
  const auto length = reader.little_endian<std::uint32_t>();
  const auto crc = reader.little_endian<std::uint32_t>();
  admin::v1::BackupManifest out;
  if (!reader.ok() || length != manifest.size() || checksum(written, manifest) != crc ||
      !out.ParseFromArray(manifest.data(), static_cast<int>(manifest.size()))) {
    return fail(Errc::corrupt, "the backup is damaged at its beginning");
  }
  return out;
}

Result<> BackupCheck::take(BytesView block) {
  if (shards_ == manifest_.shards_size()) return fail(Errc::corrupt, "the backup goes on after its last shard");
  const std::int64_t expected = manifest_.shards(shards_).shard();
  if (const Result<> taken = reader_.take(block, ignore); !taken) {
    return fail(taken.error().code, fmt::format("shard {}, {} bytes in: {}", expected, bytes_, taken.error().message()));
  }
  bytes_ += block.size();
  if (reader_.head().shard.value() != expected) {
    return fail(Errc::corrupt, fmt::format("shard {} stands where {} should", reader_.head().shard.value(), expected));
  }
  if (!reader_.whole()) return {};
  ++shards_;
  records_ += reader_.place().records;
  reader_ = {};
  return {};
}

Result<> BackupCheck::end() const {
  if (shards_ == manifest_.shards_size()) return {};
  return fail(Errc::corrupt,
              fmt::format("the backup ends early: {} of its {} shards are whole", shards_, manifest_.shards_size()));
}

}   // namespace skerry::node
