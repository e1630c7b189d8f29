// SPDX-License-Identifier: Apache-2.0
#include "node/cli_parse.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>

#include "base/bytes.hpp"
#include "node/cli_json_members.hpp"
#include "rpc/wire.hpp"

namespace skerry::node {
namespace {

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<std::string> text_of(const JsonMember& member) {
  if (const auto* text = member.value.if_string()) return std::string(text->data(), text->size());
  return refuse(fmt::format("\"{}\" must be a string", member.name));
}

Result<> take_field(const JsonMember& member, BulkPut& put) {
  const std::string& name = member.name;
  if (name == "key") {
    TRY(put.key, text_of(member));
  } else if (name == "value") {
    put.value = json_record_value(member);
  } else if (name == "value_base64") {
    TRY(const std::string text, text_of(member));
    std::optional<Bytes> bytes = rpc::wire::base64_decode(text);
    if (!bytes) return refuse("\"value_base64\" is not base64");
    put.value = std::move(*bytes);
  } else if (name == "partition_key") {
    TRY(put.options.partition_key, text_of(member));
  } else if (name == "expected_version") {
    const std::int64_t* version = member.value.if_int64();
    if (version == nullptr || *version < -1)
      return refuse("\"expected_version\" must be a version id, or -1 for \"must not exist\"");
    put.options.expected_version = VersionId{*version};
  } else if (name == "indexes") {
    TRY(put.options.indexes, json_indexes(member));
  } else {
    return refuse(fmt::format("unknown field {}; known are key, value, value_base64, partition_key, expected_version and indexes",
                              printable(name)));
  }
  return {};
}

}  // namespace

Result<client::IndexKey> parse_index(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return refuse(fmt::format("{} is not an index entry; expected NAME=KEY, as --index by-owner=anna", printable(text)));
  }
  return client::IndexKey{std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
}

Result<client::Comparison> parse_comparison(std::string_view text) {
  constexpr std::array<std::string_view, 5> names{"equal", "floor", "ceiling", "lower", "higher"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (text == names[i]) return static_cast<client::Comparison>(i);
  }
  return refuse(fmt::format("invalid comparison type: {}; expected equal, floor, ceiling, lower or higher", printable(text)));
}

Result<std::pair<ShardId, Offset>> parse_position(std::string_view text) {
  const std::size_t equals = text.find('=');
  const auto shard = parse_number<std::int64_t>(text.substr(0, equals));
  const auto offset = equals == std::string_view::npos ? std::nullopt : parse_number<std::int64_t>(text.substr(equals + 1));
  if (!shard || !offset || *offset < -1) {
    return refuse(fmt::format("{} is not a position; expected SHARD=OFFSET, as --after 0=1234", printable(text)));
  }
  return std::pair(ShardId{*shard}, Offset{*offset});
}

Result<BulkPut> parse_json_line(std::string_view line) {
  TRY(const auto members, json_members(line));
  const auto has = [&](std::string_view name) { return find_member(members, name) != nullptr; };
  if (!has("key")) return refuse("\"key\" is missing");
  if (has("value") == has("value_base64")) return refuse("expected \"value\" or \"value_base64\", one of them");
  BulkPut put;
  for (const JsonMember& member : members) TRYV(take_field(member, put));
  return put;
}

}  // namespace skerry::node
