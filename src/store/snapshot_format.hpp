// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <optional>

#include "base/time.hpp"
#include "store/engine.hpp"
#include "store/key_order.hpp"

// The bytes of a snapshot: the whole state of a shard after one entry, as blocks that can be sent or kept one after the other.
// Integers are little endian.
//
// Block: 20 bytes, then the payload
//   0  4  CRC32C of bytes 4 to 19 and the payload, seeded with the snapshot's mark
//   4  4  bytes of payload
//   8  4  kind (BlockKind)
//  12  8  number: that of the head is 0, each that follows is one higher
// The mark is the CRC32C of the head's payload, so that no block of another snapshot passes; the head's own seed is 0.
//
// Payload of a head: version 1, then fields of SnapshotHead in their order, as varints; ids, which may be -1, one higher
// Payload of records: of each the space (1 byte), sized key, sized value; through the whole snapshot rising by space, then by key
// Payload of the end: varint count of all records, varint CRC32C of the payloads of all their blocks, one after the other
namespace skerry::store {

constexpr std::size_t block_header_bytes = 20;
constexpr std::size_t block_bytes_wanted = 256 << 10;   // of payload: then the block is closed, with the record that filled it
constexpr std::size_t block_bytes_max = 64 << 20;   // of payload: a record is part of a log entry, which is smaller

enum class BlockKind : std::uint32_t { head = 1, records = 2, end = 3 };

// What the state is and stands for.
struct SnapshotHead {
  ShardId shard;
  Term term = no_term;   // of the entry
  Offset offset = no_offset;
  MembershipVersion version{0};   // of the shard's membership, as far as the sender knows
  KeyOrder order = KeyOrder::hierarchical;
  VersionId next_version_id{};
  Stamp last_stamp{};
  std::uint64_t bytes = 0;   // of all blocks, roughly

  friend bool operator==(const SnapshotHead&, const SnapshotHead&) = default;
};

struct Block {
  BlockKind kind = BlockKind::head;
  std::uint64_t number = 0;
  BytesView payload;   // borrowed
};

Bytes encode_block(const Block& block, std::uint32_t mark);
// How many bytes the block takes whose header this is. Fails with corrupt when no block can have it. Requires:
// block_header_bytes.
Result<std::size_t> block_length(BytesView header);
// Fails with corrupt: cut, damaged, or of another snapshot.
Result<Block> decode_block(BytesView bytes, std::uint32_t mark);

Bytes encode_head(const SnapshotHead& head);   // the payload
Result<SnapshotHead> decode_head(BytesView payload);   // errors: corrupt, unsupported

// How far a reader has come, and from where a sender can go on.
struct SnapshotPlace {
  std::uint64_t blocks = 0;   // taken; 0: not even the head
  std::uint64_t records = 0;
  std::uint32_t crc = 0;   // of the payloads of their blocks
  Space space{};   // of the last record; 0 when there was none
  Bytes key;

  friend bool operator==(const SnapshotPlace&, const SnapshotPlace&) = default;
};

// Takes the blocks of one snapshot in order and trusts none of them. Pure.
class SnapshotReader {
 public:
  // Hears each record; views are borrowed for the call.
  using Visitor = std::function<Result<>(Space space, BytesView key, BytesView value)>;

  // Fails with corrupt, or with what the visitor says; then this snapshot is of no use any more.
  Result<> take(BytesView block, const Visitor& visit);
  const SnapshotHead& head() const { return *head_; }   // Requires: a block was taken
  bool begun() const { return head_.has_value(); }
  bool whole() const { return whole_; }
  const SnapshotPlace& place() const { return place_; }

 private:
  Result<> take_head(const Block& block);
  Result<> take_records(BytesView payload, const Visitor& visit);
  Result<> take_end(BytesView payload);

  std::optional<SnapshotHead> head_;
  std::uint32_t mark_ = 0;
  SnapshotPlace place_;
  bool whole_ = false;
};

// Cuts what arrives in pieces of any size, as from a file, into blocks.
class BlockSplitter {
 public:
  void add(BytesView bytes) { waiting_.append(bytes); }
  // The next block when it is there, borrowed until the next call of either. Fails with corrupt.
  Result<std::optional<BytesView>> next();
  bool empty() const { return taken_ == waiting_.size(); }

 private:
  Bytes waiting_;
  std::size_t taken_ = 0;
};

}   // namespace skerry::store
