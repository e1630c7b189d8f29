// SPDX-License-Identifier: Apache-2.0
// The reader of backups is safe on anything, and what it takes whole has the shards that its manifest names, one after the other.
//
// Input: a byte of mode, then
//   mode even: a file, as it is
//   mode odd:  sized manifest, then blocks, each u8 kind, u8 number, sized payload, to which checksums are put that are right
#include <cstddef>
#include <cstdint>

#include "base/assert.hpp"
#include "base/hash.hpp"
#include "node/backup_file.hpp"

using namespace skerry;
using namespace skerry::node;

namespace {

Bytes checksummed(ByteReader& input) {
  admin::v1::BackupManifest manifest;
  const BytesView encoded = input.sized();
  static_cast<void>(manifest.ParseFromArray(encoded.data(), static_cast<int>(encoded.size())));
  Bytes file = encode_preface(manifest);
  std::uint32_t mark = 0;
  while (input.ok() && !input.done()) {
    const auto kind = static_cast<store::BlockKind>(input.little_endian<std::uint8_t>());
    const auto number = input.little_endian<std::uint8_t>();
    const BytesView payload = input.sized();
    file += store::encode_block({kind, number, payload}, kind == store::BlockKind::head ? 0 : mark);
    if (kind == store::BlockKind::head) mark = crc32c(payload);
  }
  return file;
}

void read(BytesView file) {
  if (file.size() < preface_head_bytes) return;
  const BytesView head = file.substr(0, preface_head_bytes);
  const auto length = manifest_length(head);
  if (!length) return;
  const auto manifest = decode_preface(head, file.substr(preface_head_bytes, *length));
  if (!manifest) return;
  BackupCheck check(*manifest);
  store::BlockSplitter splitter;
  splitter.add(file.substr(preface_head_bytes + *length));
  std::uint64_t bytes = 0;
  for (;;) {
    const auto block = splitter.next();
    if (!block || !*block || !check.take(**block)) break;
    bytes += (**block).size();
    SKERRY_ASSERT(check.bytes() == bytes && check.shards() <= manifest->shards_size());
  }
  SKERRY_ASSERT(check.end().has_value() == (check.shards() == manifest->shards_size()));
}

}   // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  ByteReader input(BytesView(reinterpret_cast<const char*>(data), size));
  const auto mode = input.little_endian<std::uint8_t>();
  read(mode % 2 == 0 ? Bytes(input.rest()) : checksummed(input));
  return 0;
}
