// SPDX-License-Identifier: Apache-2.0
#include "store/key_order.hpp"

#include <algorithm>

namespace skerry::store {
namespace {

constexpr char slash_encoded = '\xFF';          // never part of UTF-8, so above every other byte of a key
constexpr std::uint16_t depth_max = 0x7FFF;     // deeper keys sort together, by bytes
constexpr std::uint16_t internal_mark = 0x8000;
constexpr BytesView natural_internal = "\xFF\xFFoxia/";

void append_hierarchical(std::uint16_t mark, std::size_t depth, BytesView key, Bytes& out) {
  out.reserve(out.size() + 2 + key.size());
  append_big_endian(out, static_cast<std::uint16_t>(mark | std::min<std::size_t>(depth, depth_max)));
  const std::size_t start = out.size();
  out.append(key);
  // Written whether it changes or not, so that many are done at once.
  for (std::size_t i = start; i < out.size(); ++i) out[i] = out[i] == '/' ? slash_encoded : out[i];
}

std::size_t slashes(BytesView key) { return static_cast<std::size_t>(std::count(key.begin(), key.end(), '/')); }

Bytes decode_hierarchical(BytesView encoded) {
  Bytes key(encoded.substr(std::min<std::size_t>(2, encoded.size())));
  std::replace(key.begin(), key.end(), slash_encoded, '/');
  return key;
}

}  // namespace

void append_encoded(KeyOrder order, BytesView key, Bytes& out) {
  const bool internal = is_internal(key);
  if (order == KeyOrder::hierarchical) {
    const std::size_t depth = slashes(key) - (key.ends_with("//") ? 1 : 0);
    return append_hierarchical(internal ? internal_mark : std::uint16_t{0}, depth, key, out);
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
  append_hierarchical(0, slashes(part) - (double_slash ? 1 : 0), part, out);
}

Bytes take_part(KeyOrder order, BytesView encoded) {
  return order == KeyOrder::natural ? Bytes(encoded) : decode_hierarchical(encoded);
}

}  // namespace skerry::store
