// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace skerry {

using Bytes = std::string;            // owned bytes, any content
using BytesView = std::string_view;   // borrowed bytes

template <std::unsigned_integral T>
constexpr T to_big_endian(T value) {
  return std::endian::native == std::endian::big ? value : std::byteswap(value);
}
template <std::unsigned_integral T>
constexpr T to_little_endian(T value) {
  return std::endian::native == std::endian::little ? value : std::byteswap(value);
}

// Fixed-width integers as stored: little endian in records, big endian where byte order must be number order.
template <std::unsigned_integral T>
void append_little_endian(Bytes& out, T value) {
  value = to_little_endian(value);
  char raw[sizeof value];
  std::memcpy(raw, &value, sizeof value);
  out.append(raw, sizeof value);
}
template <std::unsigned_integral T>
void append_big_endian(Bytes& out, T value) {
  value = to_big_endian(value);
  char raw[sizeof value];
  std::memcpy(raw, &value, sizeof value);
  out.append(raw, sizeof value);
}

// LEB128: seven bits a byte, least significant first; at most ten bytes.
void append_varint(Bytes& out, std::uint64_t value);
// Varint length, then the bytes.
void append_sized(Bytes& out, BytesView bytes);

// Takes values off the front of borrowed bytes. Any failure is sticky: test ok() once at the end.
// Never reads outside the view, whatever the bytes say.
class ByteReader {
 public:
  explicit ByteReader(BytesView bytes) : rest_(bytes) {}

  template <std::unsigned_integral T>
  T little_endian() {
    return to_little_endian(raw<T>());
  }
  template <std::unsigned_integral T>
  T big_endian() {
    return to_big_endian(raw<T>());
  }
  std::uint64_t varint();
  BytesView sized();
  BytesView bytes(std::size_t count);

  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }
  BytesView rest() const { return rest_; }
  void fail() {
    ok_ = false;
    rest_ = {};
  }

 private:
  template <std::unsigned_integral T>
  T raw() {
    if (rest_.size() < sizeof(T)) return fail(), T{};
    T value;
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }

  BytesView rest_;
  bool ok_ = true;
};

// Where the first malformed UTF-8 sequence of `text` starts; nothing when all of it is well formed (RFC 3629).
std::optional<std::size_t> find_invalid_utf8(BytesView text);

// For messages: quoted, control and non-UTF-8 bytes as \xNN, cut with "…" after `bytes_max` bytes.
std::string printable(BytesView bytes, std::size_t bytes_max = 64);

}  // namespace skerry
