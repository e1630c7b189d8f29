// SPDX-License-Identifier: Apache-2.0
#include "store/snapshot_format.hpp"

#include <fmt/format.h>

#include "base/hash.hpp"

namespace skerry::store {
namespace {

constexpr std::uint64_t head_version = 1;

std::unexpected<Error> damaged(std::string_view what) {
  return fail(Errc::corrupt, fmt::format("the snapshot is damaged: {}", what));
}

template <class Id>
void append_id(Bytes& out, Id id) {
  append_varint(out, static_cast<std::uint64_t>(id.value() + 1));
}

template <class Id>
Id read_id(ByteReader& reader) {
  const std::uint64_t raw = reader.varint();
  if (raw >= static_cast<std::uint64_t>(INT64_MAX)) reader.fail();
  return reader.ok() ? Id(static_cast<std::int64_t>(raw) - 1) : Id(-1);
}

bool is_space(std::uint8_t space) { return space > 0 && space < space_count; }

}  // namespace

// --- blocks

Bytes encode_block(const Block& block, std::uint32_t mark) {
  Bytes out(sizeof(std::uint32_t), '\0');
  out.reserve(block_header_bytes + block.payload.size());
  append_little_endian(out, static_cast<std::uint32_t>(block.payload.size()));
  append_little_endian(out, static_cast<std::uint32_t>(block.kind));
  append_little_endian(out, block.number);
  out.append(block.payload);
  Bytes crc;
  append_little_endian(crc, crc32c(BytesView(out).substr(sizeof(std::uint32_t)), mark));
  out.replace(0, crc.size(), crc);
  return out;
}

Result<std::size_t> block_length(BytesView header) {
  ByteReader reader(header);
  reader.bytes(sizeof(std::uint32_t));
  const auto payload = reader.little_endian<std::uint32_t>();
  if (!reader.ok() || payload > block_bytes_max) return damaged("a block of impossible size");
  return block_header_bytes + payload;
}

Result<Block> decode_block(BytesView bytes, std::uint32_t mark) {
  ByteReader reader(bytes);
  const auto crc = reader.little_endian<std::uint32_t>();
  const auto size = reader.little_endian<std::uint32_t>();
  const auto kind = reader.little_endian<std::uint32_t>();
  const auto number = reader.little_endian<std::uint64_t>();
  if (!reader.ok() || size != reader.rest().size()) return damaged("a block ends early");
  if (crc32c(bytes.substr(sizeof(std::uint32_t)), mark) != crc)
    return damaged(fmt::format("block {} fails its checksum", number));
  if (kind < 1 || kind > 3) return damaged(fmt::format("block {} is of no known kind", number));
  return Block{BlockKind{kind}, number, reader.rest()};
}

Bytes encode_head(const SnapshotHead& head) {
  Bytes out;
  append_varint(out, head_version);
  append_id(out, head.shard);
  append_id(out, head.term);
  append_id(out, head.offset);
  append_id(out, head.version);
  append_varint(out, static_cast<std::uint64_t>(head.order));
  append_id(out, head.next_version_id);
  append_varint(out, head.last_stamp.value());
  append_varint(out, head.bytes);
  return out;
}

Result<SnapshotHead> decode_head(BytesView payload) {
  ByteReader reader(payload);
  if (const auto version = reader.varint(); version != head_version) {
    if (!reader.ok()) return damaged("its head can't be read");
    return fail(Errc::unsupported,
                fmt::format("the snapshot is of version {}, this program reads {}: use a newer one", version, head_version));
  }
  SnapshotHead head;
  head.shard = read_id<ShardId>(reader);
  head.term = read_id<Term>(reader);
  head.offset = read_id<Offset>(reader);
  head.version = read_id<MembershipVersion>(reader);
  const auto order = reader.varint();
  head.next_version_id = read_id<VersionId>(reader);
  head.last_stamp = Stamp(reader.varint());
  head.bytes = reader.varint();
  const bool known_order =
      order == static_cast<std::uint64_t>(KeyOrder::hierarchical) || order == static_cast<std::uint64_t>(KeyOrder::natural);
  if (!reader.done() || !known_order || head.shard < ShardId(0)) return damaged("its head can't be read");
  head.order = KeyOrder{static_cast<std::uint8_t>(order)};
  return head;
}

// --- reading

Result<> SnapshotReader::take(BytesView bytes, const Visitor& visit) {
  if (whole_) return damaged("it goes on after its end");
  TRY(const Block block, decode_block(bytes, mark_));
  if (block.number != place_.blocks || (block.kind == BlockKind::head) != (block.number == 0)) {
    return damaged(fmt::format("block {} came where {} was due", block.number, place_.blocks));
  }
  switch (block.kind) {
    case BlockKind::head: TRYV(take_head(block)); break;
    case BlockKind::records: TRYV(take_records(block.payload, visit)); break;
    case BlockKind::end: TRYV(take_end(block.payload)); break;
  }
  ++place_.blocks;
  return {};
}

Result<> SnapshotReader::take_head(const Block& block) {
  TRY(head_, decode_head(block.payload));
  mark_ = crc32c(block.payload);
  return {};
}

Result<> SnapshotReader::take_records(BytesView payload, const Visitor& visit) {
  ByteReader reader(payload);
  do {   // a block without records has no place
    const auto space = reader.little_endian<std::uint8_t>();
    const BytesView key = reader.sized(), value = reader.sized();
    if (!reader.ok() || !is_space(space)) return damaged("a record can't be read");
    const Space in{space};
    const bool rises = in > place_.space || (in == place_.space && key > BytesView(place_.key));
    if (!rises) return damaged("its records are out of order");
    place_.space = in;
    place_.key.assign(key);
    ++place_.records;
    TRYV(visit(in, key, value));
  } while (!reader.rest().empty());
  place_.crc = crc32c(payload, place_.crc);
  return {};
}

Result<> SnapshotReader::take_end(BytesView payload) {
  ByteReader reader(payload);
  const auto records = reader.varint();
  const auto crc = reader.varint();
  if (!reader.done() || records != place_.records || crc != place_.crc) return damaged("records are missing");
  whole_ = true;
  return {};
}

Result<std::optional<BytesView>> BlockSplitter::next() {
  if (taken_ > 0 && (taken_ == waiting_.size() || taken_ > block_bytes_wanted)) {
    waiting_.erase(0, taken_);
    taken_ = 0;
  }
  const BytesView rest = BytesView(waiting_).substr(taken_);
  if (rest.size() < block_header_bytes) return std::nullopt;
  TRY(const std::size_t length, block_length(rest));
  if (rest.size() < length) return std::nullopt;
  taken_ += length;
  return rest.substr(0, length);
}

}   // namespace skerry::store
