// SPDX-License-Identifier: Apache-2.0
#include "store/page_token.hpp"

#include "base/hash.hpp"

namespace skerry::store {
namespace {

constexpr std::uint8_t token_format = 1;
constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string to_text(BytesView bytes) {
  std::string text;
  text.reserve(bytes.size() * 4 / 3 + 2);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) text += alphabet[bits >> (count - 6) & 63];
  }
  if (count > 0) text += alphabet[bits << (6 - count) & 63];
  return text;
}

std::optional<Bytes> from_text(std::string_view text) {
  Bytes bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const std::size_t value = alphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xFF);
  }
  return bytes;
}

std::uint32_t checksum_of(const Range& walk) {
  Bytes text;
  append_sized(text, walk.start);
  append_sized(text, walk.end);
  text += walk.index ? '1' : '0';
  append_sized(text, walk.index.value_or(Bytes()));
  text += walk.reverse ? '1' : '0';
  return crc32c(text);
}

}  // namespace

std::string encode_page_token(const Range& walk, const PagePosition& position) {
  Bytes rest;
  append_varint(rest, static_cast<std::uint64_t>(position.shard.value()));
  append_sized(rest, position.key);
  if (position.secondary_key) append_sized(rest, *position.secondary_key);
  Bytes token;
  append_little_endian(token, token_format);
  append_little_endian(token, checksum_of(walk));
  append_little_endian(token, crc32c(rest));
  return to_text(token + rest);
}

Result<PagePosition> decode_page_token(const Range& walk, std::string_view token) {
  const auto bytes = from_text(token);
  ByteReader reader(bytes ? BytesView(*bytes) : BytesView());
  const auto format = reader.little_endian<std::uint8_t>();
  const auto of_walk = reader.little_endian<std::uint32_t>();
  const auto of_rest = reader.little_endian<std::uint32_t>();
  if (!reader.ok() || format != token_format || of_rest != crc32c(reader.rest())) {
    return fail(Errc::invalid_argument, "this is no page token, or not a whole one: hand it on as it was answered");
  }
  if (of_walk != checksum_of(walk)) {
    return fail(Errc::invalid_argument,
                "this page token belongs to another walk: start, end, index and direction must be those of its first page");
  }
  PagePosition position;
  position.shard = ShardId(static_cast<std::int64_t>(reader.varint()));
  position.key = Bytes(reader.sized());
  if (walk.index) position.secondary_key = Bytes(reader.sized());
  if (!reader.done()) return fail(Errc::invalid_argument, "this page token is of a newer kind or damaged");
  return position;
}

WalkPosition resume_at(ShardId shard, PagePosition position) {
  return {std::move(position.key), std::move(position.secondary_key), shard > position.shard};
}

}  // namespace skerry::store
