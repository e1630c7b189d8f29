// SPDX-License-Identifier: Apache-2.0
#include "rpc/wire.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/assert.hpp"

namespace skerry::rpc::wire {
namespace {

constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr auto base64_values = [] {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < base64_digits.size(); ++i) {
    values[static_cast<unsigned char>(base64_digits[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}();

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

std::uint32_t length_at(const char* prefix) {
  std::uint32_t length = 0;
  std::memcpy(&length, prefix + 1, sizeof length);
  return to_big_endian(length);
}

}  // namespace

std::string percent_encode(std::string_view text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte <= 0x7E && c != '%') {
      out += c;
    } else {
      out += {'%', digits[byte >> 4], digits[byte & 15]};
    }
  }
  return out;
}

std::string percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_value(text[i + 2]) : -1;
    if (low < 0) {
      out += text[i];
      continue;
    }
    out += static_cast<char>(high << 4 | low);
    i += 2;
  }
  return out;
}

std::string base64_encode(BytesView bytes) {
  std::string out;
  out.reserve((bytes.size() * 4 + 2) / 3);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) out += base64_digits[bits >> (count - 6) & 63];
  }
  if (count > 0) out += base64_digits[bits << (6 - count) & 63];
  return out;
}

std::optional<Bytes> base64_decode(std::string_view text) {
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  Bytes out;
  out.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const std::int32_t value{base64_values[static_cast<unsigned char>(c)]};
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count & 0xFF);
    }
  }
  return out;
}

std::optional<Duration> parse_timeout(std::string_view text) {
  if (text.size() < 2 || text.size() > 9) return std::nullopt;
  std::int64_t count = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') return std::nullopt;
    count = count * 10 + (c - '0');
  }
  switch (text.back()) {   // 99999999 hours fit in nanoseconds only just not: cap at a century
    case 'H': return std::chrono::hours(std::min<std::int64_t>(count, 24LL * 36'525));
    case 'M': return std::chrono::minutes(count);
    case 'S': return std::chrono::seconds(count);
    case 'm': return std::chrono::milliseconds(count);
    case 'u': return std::chrono::microseconds(count);
    case 'n': return std::chrono::nanoseconds(count);
    default: return std::nullopt;
  }
}

std::string format_timeout(Duration left) {
  constexpr std::int64_t digits_max = 99'999'999;
  const std::int64_t nanos = std::max<std::int64_t>(left.count(), 1);
  struct Unit {
    std::int64_t nanos;
    char letter;
  };
  for (const Unit unit : {Unit{1, 'n'}, Unit{1'000, 'u'}, Unit{1'000'000, 'm'}, Unit{1'000'000'000, 'S'}}) {
    const std::int64_t count = nanos / unit.nanos + (nanos % unit.nanos != 0 ? 1 : 0);
    if (count <= digits_max) return std::to_string(count) + unit.letter;
  }
  return std::to_string(std::min(nanos / 3'600'000'000'000 + 1, digits_max)) + 'H';
}

bool is_grpc_content(std::string_view content_type) {
  constexpr std::string_view grpc = "application/grpc", proto = "+proto";
  if (!content_type.starts_with(grpc)) return false;
  content_type.remove_prefix(grpc.size());
  if (content_type.starts_with(proto)) content_type.remove_prefix(proto.size());
  return content_type.empty() || content_type.front() == ';' || content_type.front() == ' ';
}

bool is_binary_name(std::string_view name) { return name.ends_with("-bin"); }

void append_prefix(Bytes& out, std::size_t length) {
  out.push_back('\0');
  append_big_endian(out, static_cast<std::uint32_t>(length));
}

Status MessageAssembler::feed(BytesView bytes) {
  make_room(bytes.size());
  buffer_.append(bytes);
  while (buffer_.size() - scanned_ >= prefix_bytes) {
    const char* prefix = buffer_.data() + scanned_;
    if (*prefix != 0) {
      return {Code::internal, "a message is marked as compressed, but the request named no grpc-encoding", {}};
    }
    const std::size_t length = length_at(prefix);
    if (length > message_bytes_max_) {
      return {Code::resource_exhausted,
              "a message of " + std::to_string(length) + " bytes is larger than the limit of " +
                  std::to_string(message_bytes_max_) + " bytes (message_bytes_max); send it in smaller parts",
              {}};
    }
    if (buffer_.size() - scanned_ < prefix_bytes + length) break;
    scanned_ += prefix_bytes + length;
    ++complete_;
  }
  return {};
}

// Keeps the copying linear: what was taken is dropped when it is the larger part, and a message whose length is known gets
// its room in few steps. The announced length alone reserves little, since announcing costs a peer nothing.
void MessageAssembler::make_room(std::size_t incoming) {
  constexpr std::size_t step_min = 64 << 10;
  if (taken_ > step_min && taken_ > buffer_.size() / 2) {
    buffer_.erase(0, taken_);
    scanned_ -= taken_;
    taken_ = 0;
  }
  const std::size_t needed = buffer_.size() + incoming;
  if (needed <= buffer_.capacity() || needed < step_min) return;
  std::size_t room = 2 * needed;
  if (buffer_.size() - scanned_ >= prefix_bytes) {
    const std::size_t whole = scanned_ + prefix_bytes + length_at(buffer_.data() + scanned_);
    if (needed <= whole) room = std::min(room, whole);
  }
  buffer_.reserve(room);
}

BytesView MessageAssembler::front() const {
  SKERRY_ASSERT(complete_ > 0);
  return BytesView(buffer_).substr(taken_ + prefix_bytes, length_at(buffer_.data() + taken_));
}

void MessageAssembler::pop() {
  SKERRY_ASSERT(complete_ > 0);
  taken_ += prefix_bytes + length_at(buffer_.data() + taken_);
  --complete_;
  if (taken_ == buffer_.size()) clear();
}

void MessageAssembler::clear() {
  constexpr std::size_t kept_bytes_max = 64 << 10;
  if (buffer_.capacity() > kept_bytes_max) {
    buffer_ = Bytes();
  } else {
    buffer_.clear();
  }
  taken_ = scanned_ = complete_ = 0;
}

}  // namespace skerry::rpc::wire
