// SPDX-License-Identifier: Apache-2.0
// The reader of snapshots is safe on anything, and what it takes whole is what was sent.
//
// Input: a byte of mode, then
//   mode even: what a file of blocks would hold, as it is
//   mode odd:  a real snapshot's blocks with edits, each of three bytes: which block, what happens to it (lost, doubled, swapped
//              with the next, a byte changed, a byte changed and the checksum put right), and where
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/assert.hpp"
#include "base/hash.hpp"
#include "store/memory_engine.hpp"
#include "store/snapshot_installer.hpp"

using namespace skerry;
using namespace skerry::store;

namespace {

constexpr ShardId shard{7};

void append_record(Bytes& out, Space space, BytesView key, BytesView value) {
  out.push_back(static_cast<char>(space));
  append_sized(out, key);
  append_sized(out, value);
}

std::uint32_t mark_of(const std::vector<Bytes>& blocks) { return crc32c(BytesView(blocks.front()).substr(block_header_bytes)); }

std::vector<Bytes> real_blocks() {
  SnapshotHead head{.shard = shard, .term = Term(2), .offset = Offset(40), .bytes = 100};
  const Bytes first = encode_head(head);
  std::vector<Bytes> blocks{encode_block({BlockKind::head, 0, first}, 0)};
  const std::uint32_t mark = crc32c(first);
  Bytes records, more, end;
  append_record(records, Space::records, "a", "1");
  append_record(records, Space::records, "b", "22");
  append_record(more, Space::records, "c", "");
  append_record(more, Space::sessions, session_key(SessionId(9)),
                encode_session({.timeout = std::chrono::seconds(2), .client_identity = "c", .created = {}}));
  append_record(more, Space::meta, meta_term, encode_term(Term(2)));
  append_varint(end, 5);
  append_varint(end, crc32c(more, crc32c(records)));
  blocks.push_back(encode_block({BlockKind::records, 1, records}, mark));
  blocks.push_back(encode_block({BlockKind::records, 2, more}, mark));
  blocks.push_back(encode_block({BlockKind::end, 3, end}, mark));
  return blocks;
}

void put_right(Bytes& block, std::uint32_t mark) {
  Bytes crc;
  append_little_endian(crc, crc32c(BytesView(block).substr(sizeof(std::uint32_t)), mark));
  block.replace(0, crc.size(), crc);
}

Bytes edited(ByteReader& input) {
  const auto real = real_blocks();
  auto blocks = real;
  while (input.rest().size() >= 3 && !blocks.empty()) {
    const std::size_t at = input.little_endian<std::uint8_t>() % blocks.size();
    const auto what = input.little_endian<std::uint8_t>();
    const auto place = input.little_endian<std::uint8_t>();
    Bytes& block = blocks[at];
    switch (what % 5) {
      case 0: blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(at)); break;
      case 1: blocks.insert(blocks.begin() + static_cast<std::ptrdiff_t>(at), Bytes(block)); break;
      case 2: std::swap(block, blocks[(at + 1) % blocks.size()]); break;
      case 3: block[place % block.size()] = static_cast<char>(block[place % block.size()] ^ (1 << what % 8)); break;
      default: block[place % block.size()] = static_cast<char>(what); put_right(block, at == 0 ? 0 : mark_of(real));
    }
  }
  Bytes file;
  for (const Bytes& block : blocks) file += block;
  return file;
}

void read(BytesView file) {
  MemoryEngine engine;
  SnapshotInstaller installer(**engine.shard(shard), shard, KeyOrder::hierarchical);
  BlockSplitter splitter;
  SnapshotReader reader;
  std::uint64_t records = 0;
  std::uint32_t crc = 0;
  splitter.add(file.substr(0, file.size() / 2));
  splitter.add(file.substr(file.size() / 2));
  for (;;) {
    const auto block = splitter.next();
    if (!block || !*block) break;
    const bool taken =
        reader.take(**block, [&](Space, BytesView, BytesView) -> Result<> { return ++records, Result<>{}; }).has_value();
    const bool installed = installer.take(**block).has_value();
    SKERRY_ASSERT(taken || !installed);
    if (!taken || !installed) return;
    if (reader.place().blocks > 1 && !reader.whole()) crc = crc32c((**block).substr(block_header_bytes), crc);
  }
  if (!reader.whole()) return;
  SKERRY_ASSERT(records == reader.place().records && crc == reader.place().crc);
  const auto again = decode_head(encode_head(reader.head()));
  SKERRY_ASSERT(again && *again == reader.head());
}

}   // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  ByteReader input(BytesView(reinterpret_cast<const char*>(data), size));
  const auto mode = input.little_endian<std::uint8_t>();
  read(mode % 2 == 0 ? Bytes(input.rest()) : edited(input));
  return 0;
}
