// SPDX-License-Identifier: Apache-2.0
#include "store/key_order.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace skerry::store {
namespace {

constexpr char slash_encoded = '\xFF';          // never part of UTF-8, so above every other byte of a key
constexpr std::uint16_t depth_max = 0x7FFF;     // deeper keys sort together, by bytes
constexpr std::uint16_t internal_mark = 0x8000;
constexpr BytesView natural_internal = "\xFF\xFFoxia/";

// Encodes the slashes among eight bytes, and returns how many there are.
std::size_t encode_word(std::uint64_t& word) {
  constexpr std::uint64_t ones = 0x0101010101010101, low_bits = 0x7F * ones;
  static_assert(slash_encoded == '\xFF');
  const std::uint64_t others = word ^ ('/' * ones);
  const std::uint64_t is_slash = ~(((others & low_bits) + low_bits) | others | low_bits);   // the high bit of each such byte
  word |= (is_slash >> 7) * 0xFF;
  return static_cast<std::size_t>(std::popcount(is_slash));
}

// Eight bytes at a time, since each key that is read or written comes through here.
std::size_t encode_slashes(BytesView key, char* to) {
  std::size_t slashes = 0;
  std::uint64_t word;
  for (; key.size() >= sizeof word; key.remove_prefix(sizeof word), to += sizeof word) {
    std::memcpy(&word, key.data(), sizeof word);
    slashes += encode_word(word);
    std::memcpy(to, &word, sizeof word);
  }
  if (key.empty()) return slashes;
  word = 0;
  std::memcpy(&word, key.data(), key.size());
  slashes += encode_word(word);
  std::memcpy(to, &word, key.size());
  return slashes;
}

// `double_slash`: the last is not counted, as Oxia's order wants it.
void append_hierarchical(std::uint16_t mark, bool double_slash, BytesView key, Bytes& out) {
  const std::size_t start = out.size();
  out.resize(start + sizeof mark + key.size());
  const std::size_t depth = encode_slashes(key, out.data() + start + sizeof mark) - (double_slash ? 1 : 0);
  const std::uint16_t head = to_big_endian(static_cast<std::uint16_t>(mark | std::min<std::size_t>(depth, depth_max)));
  std::memcpy(out.data() + start, &head, sizeof head);
}

Bytes decode_hierarchical(BytesView encoded) {
  Bytes key(encoded.substr(std::min<std::size_t>(2, encoded.size())));
  std::replace(key.begin(), key.end(), slash_encoded, '/');
  return key;
}

}   // namespace

void append_encoded(KeyOrder order, BytesView key, Bytes& out) {
  const bool internal = is_internal(key);
  if (order == KeyOrder::hierarchical) {
    return append_hierarchical(internal ? internal_mark : std::uint16_t{0}, key.ends_with("//"), key, out);
  }
  if (internal) {
    out.append(natural_internal);
    key.remove_prefix(internal_prefix.size());
  }
  out.append(key);
}

Bytes encode_key(KeyOrder order, BytesView key) {
  Bytes out;
  append_encoded(order, key, out);
  return out;
}

Bytes decode_key(KeyOrder order, BytesView encoded) {
  if (order == KeyOrder::hierarchical) return decode_hierarchical(encoded);
  if (!encoded.starts_with(natural_internal)) return Bytes(encoded);
  return Bytes(internal_prefix).append(encoded.substr(natural_internal.size()));
}

BytesView internal_start(KeyOrder order) {
  return order == KeyOrder::hierarchical ? BytesView("\x80\x00", 2) : natural_internal.substr(0, 2);
}

void append_encoded_part(KeyOrder order, BytesView part, Bytes& out) {
  if (order == KeyOrder::natural) {
    out.append(part);
    return;
  }
  // The name before it ends in '/', so a lone "/" completes a "//" too.
  const bool double_slash = part.ends_with("//") || part == "/";
  append_hierarchical(0, double_slash, part, out);
}

Bytes take_part(KeyOrder order, BytesView encoded) {
  return order == KeyOrder::natural ? Bytes(encoded) : decode_hierarchical(encoded);
}

}   // namespace skerry::store
