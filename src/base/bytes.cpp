// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.hpp"

#include <algorithm>

namespace skerry {
namespace {

// Length of the well-formed sequence at the front, 0 when there is none. Table 3-7 of the Unicode standard.
std::size_t utf8_sequence_length(BytesView text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto continues = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned low = first == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = first == 0xED ? 0x9F : 0xBF;
    return continues(1, low, high) && continues(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned low = first == 0xF0 ? 0x90 : 0x80;
    const unsigned high = first == 0xF4 ? 0x8F : 0xBF;
    return continues(1, low, high) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

void append_varint(Bytes& out, std::uint64_t value) {
  if (value < 0x80) return out.push_back(static_cast<char>(value));
  char raw[10];
  std::size_t size = 0;
  for (; value >= 0x80; value >>= 7) raw[size++] = static_cast<char>(value | 0x80);
  raw[size++] = static_cast<char>(value);
  out.append(raw, size);
}

void append_sized(Bytes& out, BytesView bytes) {
  append_varint(out, bytes.size());
  out.append(bytes);
}

std::uint64_t ByteReader::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const auto byte = raw<std::uint8_t>();
    if (!ok_) return 0;
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return shift == 63 && byte > 1 ? (fail(), 0) : value;
  }
  fail();
  return 0;
}

BytesView ByteReader::sized() {
  const std::uint64_t size = varint();
  return size <= rest_.size() ? bytes(size) : (fail(), BytesView{});
}

BytesView ByteReader::bytes(std::size_t count) {
  if (count > rest_.size()) return fail(), BytesView{};
  const BytesView taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return taken;
}

std::optional<std::size_t> find_invalid_utf8(BytesView text) {
  constexpr std::uint64_t high_bits = 0x8080808080808080;
  std::size_t at = 0;
  while (at < text.size()) {
    std::uint64_t some = 0;
    const std::size_t size = std::min(sizeof some, text.size() - at);
    size == sizeof some ? std::memcpy(&some, text.data() + at, sizeof some) : std::memcpy(&some, text.data() + at, size);
    if ((some & high_bits) == 0) {   // nearly all text
      at += size;
      continue;
    }
    const std::size_t length = utf8_sequence_length(text.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return std::nullopt;
}

std::string printable(BytesView bytes, std::size_t bytes_max) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out = "\"";
  std::size_t at = 0;
  while (at < bytes.size() && at < bytes_max) {
    const std::size_t length = utf8_sequence_length(bytes.substr(at));
    const auto byte = static_cast<unsigned char>(bytes[at]);
    if (length == 0 || byte < 0x20 || byte == 0x7F) {
      out += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
      ++at;
      continue;
    }
    if (byte == '"' || byte == '\\') out += '\\';
    out += bytes.substr(at, length);
    at += length;
  }
  if (at < bytes.size()) out += "…";
  return out += '"';
}

}  // namespace skerry
