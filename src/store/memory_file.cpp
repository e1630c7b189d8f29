// SPDX-License-Identifier: Apache-2.0
#include "store/memory_file.hpp"

#include <fmt/format.h>

#include "base/hash.hpp"
#include "base/limits.hpp"
#include "runtime/core.hpp"

namespace skerry::store {
namespace {

constexpr BytesView magic = "SKSTATE1";
constexpr std::size_t header_bytes = 8 + 4 + 8 + 4;
constexpr std::size_t block_bytes_wanted = 256 << 10;
// A block is closed once it has what is wanted, so one record at its limits may come on top.
constexpr std::size_t file_block_bytes_max = block_bytes_wanted + 2 * limits::value_bytes_max;
constexpr std::uint32_t end_mark = 0xFFFFFFFF;

Bytes header(ShardId shard, Offset applied) {
  Bytes out(magic);
  append_little_endian(out, static_cast<std::uint32_t>(shard.value()));
  append_little_endian(out, static_cast<std::uint64_t>(applied.value()));
  append_little_endian(out, crc32c(out));
  return out;
}

// Writes blocks one behind the other, each checksum continuing the last.
class BlockWriter {
 public:
  BlockWriter(disk::File& file, BytesView header) : file_(file), crc_(crc32c(header)), header_(header) {}

  Result<> begin() { return write({&header_, 1}); }
  Result<> block(BytesView payload) {
    crc_ = crc32c(payload, crc_);
    Bytes frame;
    append_little_endian(frame, static_cast<std::uint32_t>(payload.size()));
    append_little_endian(frame, crc_);
    const BytesView pieces[] = {frame, payload};
    return write(pieces);
  }
  Result<> end(std::uint64_t count) {
    Bytes counted;
    append_little_endian(counted, count);
    Bytes frame;
    append_little_endian(frame, end_mark);
    append_little_endian(frame, crc32c(counted, crc_));
    const BytesView pieces[] = {frame, counted};
    return write(pieces);
  }

 private:
  Result<> write(std::span<const BytesView> pieces) {
    TRYV(file_.write_at(position_, pieces));
    for (const BytesView piece : pieces) position_ += piece.size();
    return {};
  }

  disk::File& file_;
  std::uint32_t crc_;
  BytesView header_;
  std::uint64_t position_ = 0;
};

Task<Result<>> write_blocks(Core& core, disk::File& file, ShardId shard, const MemoryState& state) {
  const Bytes head = header(shard, state.applied);
  BlockWriter writer(file, head);
  CO_TRYV(writer.begin());
  Bytes block;
  std::uint64_t count = 0;
  for (std::size_t space = 0; space < space_count; ++space) {
    MemoryTree::Walk walk(state.spaces[space]);
    for (walk.seek_first(); walk.valid(); walk.next(), ++count) {
      block.push_back(static_cast<char>(space));
      append_sized(block, walk.key());
      append_sized(block, walk.value());
      if (block.size() < block_bytes_wanted) continue;
      CO_TRYV(writer.block(block));
      block.clear();
      co_await core.yield();
    }
  }
  if (!block.empty()) CO_TRYV(writer.block(block));
  co_return writer.end(count);
}

class FileReader {
 public:
  FileReader(disk::Disk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}

  Result<> open() {
    TRY(file_, disk_.open(path_, disk::OpenMode::read));
    TRY(rest_, file_->size());
    return {};
  }
  Result<Bytes> take(std::size_t count) {
    if (count > rest_) return damaged("ends early");
    Bytes bytes(count, '\0');
    TRY(const std::size_t got, file_->read_at(position_, bytes));
    if (got != count) return damaged("ends early");
    position_ += count;
    rest_ -= count;
    return bytes;
  }
  std::uint64_t rest() const { return rest_; }
  std::unexpected<Error> damaged(std::string_view what) const {
    return fail(Errc::corrupt, fmt::format("state file {} is damaged: it {} near byte {}. Put the node's folder back from "
                                           "a backup of the data folder",
                                           path_, what, position_));
  }

 private:
  disk::Disk& disk_;
  std::string path_;
  std::unique_ptr<disk::File> file_;
  std::uint64_t position_ = 0, rest_ = 0;
};

// Adds a block's records to the state. False when it is malformed, which its checksum should have shown.
bool take_records(BytesView block, MemoryState& state, std::uint64_t& count) {
  ByteReader reader(block);
  while (reader.ok() && !reader.rest().empty()) {
    const auto space = reader.little_endian<std::uint8_t>();
    const BytesView key = reader.sized();
    const BytesView value = reader.sized();
    if (!reader.ok() || space >= space_count) return false;
    state.spaces[space].put(key, value);
    ++count;
  }
  return reader.ok();
}

Result<Offset> read_header(FileReader& reader, ShardId shard, std::uint32_t& crc) {
  TRY(const Bytes head, reader.take(header_bytes));
  ByteReader fields(head);
  if (fields.bytes(magic.size()) != magic) return reader.damaged("does not begin as one");
  const auto written_for = fields.little_endian<std::uint32_t>();
  const Offset applied(static_cast<std::int64_t>(fields.little_endian<std::uint64_t>()));
  if (head != header(ShardId(written_for), applied)) return reader.damaged("fails the checksum of its header");
  if (ShardId(written_for) != shard) return reader.damaged(fmt::format("was written for shard {}", written_for));
  crc = crc32c(head);
  return applied;
}

}  // namespace

Task<Result<>> write_memory_file(Core& core, disk::Disk& disk, std::string path, ShardId shard, MemoryState state) {
  const std::string beside = path + ".new";
  CO_TRY(const bool left_over, disk.exists(beside));
  if (left_over) CO_TRYV(disk.remove(beside));
  CO_TRY(const std::unique_ptr<disk::File> file, disk.open(beside, disk::OpenMode::create));
  CO_TRYV(co_await write_blocks(core, *file, shard, state));
  CO_TRYV(co_await file->sync());
  CO_TRYV(disk.rename(beside, path));
  co_return co_await disk.sync_folder(path.substr(0, path.rfind('/')));
}

Task<Result<MemoryState>> read_memory_file(Core& core, disk::Disk& disk, std::string path, ShardId shard) {
  FileReader reader(disk, std::move(path));
  CO_TRYV(reader.open());
  MemoryState state;
  std::uint32_t crc = 0;
  std::uint64_t count = 0;
  CO_TRY(state.applied, read_header(reader, shard, crc));
  for (;;) {
    CO_TRY(const Bytes frame, reader.take(8));
    ByteReader fields(frame);
    const auto size = fields.little_endian<std::uint32_t>();
    const auto expected = fields.little_endian<std::uint32_t>();
    if (size != end_mark && size > file_block_bytes_max) co_return reader.damaged("has a block of impossible size");
    CO_TRY(const Bytes payload, reader.take(size == end_mark ? 8 : size));
    crc = crc32c(payload, crc);
    if (crc != expected) co_return reader.damaged("fails a checksum");
    if (size == end_mark) {
      if (ByteReader(payload).little_endian<std::uint64_t>() != count) co_return reader.damaged("lacks records");
      break;
    }
    if (!take_records(payload, state, count)) co_return reader.damaged("holds a malformed record");
    co_await core.yield();
  }
  if (reader.rest() != 0) co_return reader.damaged("goes on after its end");
  co_return state;
}

}  // namespace skerry::store
