// SPDX-License-Identifier: Apache-2.0
#include "control/node_record.hpp"

#include <fmt/format.h>
#include <google/protobuf/text_format.h>

#include "base/assert.hpp"
#include "base/hash.hpp"

namespace skerry::control {
namespace {

constexpr std::string_view heading = "# What this node is in its cluster. Written by Skerry; not to be edited.\n";
constexpr std::string_view checksum_words = "# checksum of all above: ";

std::string checksum_line(BytesView text) { return fmt::format("{}{:08x}\n", checksum_words, crc32c(text)); }

}  // namespace

Task<Result<std::unique_ptr<NodeRecord>>> NodeRecord::open(Core& core, disk::Disk& disk, std::string path, std::string younger) {
  std::unique_ptr<NodeRecord> record(new NodeRecord(core, disk, std::move(path)));
  CO_TRY(const bool there, disk.exists(record->path_));
  CO_TRY(const bool follows, disk.exists(younger));
  if (!there && follows) co_return record->damaged("is missing");
  if (there) CO_TRYV(record->load());
  record->value_.set_incarnation(record->value_.incarnation() + 1);
  CO_TRYV(co_await record->save());
  co_return std::move(record);
}

std::unexpected<Error> NodeRecord::damaged(std::string_view what) const {
  return fail(Errc::corrupt,
              fmt::format("{} {}: remove the whole folder of this node, and it joins again as an empty one that the others fill; "
                          "or restore the folder from a copy",
                          path_, what));
}

Result<> NodeRecord::load() {
  TRY(const Bytes whole, disk::read_file(disk_, path_));
  const std::size_t tail = whole.rfind(checksum_words);
  const BytesView text = BytesView(whole).substr(0, tail);
  if (tail == Bytes::npos || whole.substr(tail) != checksum_line(text)) return damaged("was cut or changed");
  if (!google::protobuf::TextFormat::ParseFromString(std::string(text), &value_)) {
    return fail(Errc::unsupported, fmt::format("{} was written by a newer program: start the version that wrote it", path_));
  }
  return {};
}

Task<Result<>> NodeRecord::save() {
  const std::uint64_t wanted = ++changes_;
  CO_TRY(const SemaphoreUnits turn, co_await turn_.acquire());
  if (saved_ >= wanted) co_return Result<>{};   // went with one before
  const std::uint64_t now = changes_;
  CO_TRYV(co_await write(value_));
  saved_ = now;
  co_return Result<>{};
}

Task<Result<>> NodeRecord::write(v1::NodeRecord value) {
  value.DiscardUnknownFields();   // what only newer coordinators say: as text it could not be read again
  std::string text(heading), body;
  SKERRY_ASSERT(google::protobuf::TextFormat::PrintToString(value, &body));
  text += body;
  co_return co_await disk::replace_file(disk_, path_, text + checksum_line(text));
}

Task<Result<>> NodeRecord::bind(std::string instance, std::uint32_t node, std::string name) {
  CO_TRY(const SemaphoreUnits turn, co_await turn_.acquire());
  SKERRY_ASSERT(!bound());
  v1::NodeRecord wanted = value_;
  wanted.set_instance(std::move(instance));
  wanted.set_node(node);
  wanted.set_name(std::move(name));
  CO_TRYV(co_await write(wanted));
  value_ = std::move(wanted);
  co_return Result<>{};
}

Task<Result<>> NodeRecord::keep(v1::Nodes nodes) {
  *value_.mutable_nodes() = std::move(nodes);
  co_return co_await save();
}

Task<Result<>> NodeRecord::keep(v1::Holdings holdings) {
  *value_.mutable_holdings() = std::move(holdings);
  co_return co_await save();
}

}  // namespace skerry::control
