// SPDX-License-Identifier: Apache-2.0
#include "store/path_escape.hpp"

namespace skerry::store {
namespace {

bool stands_for_itself(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return BytesView("-_.~$&+:=@").find(c) != BytesView::npos;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

void append_path_escaped(BytesView text, Bytes& out) {
  static constexpr char digits[] = "0123456789ABCDEF";
  out.reserve(out.size() + text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (stands_for_itself(c)) {
      out += c;
    } else {
      out += {'%', digits[byte >> 4], digits[byte & 15]};
    }
  }
}

Bytes path_escape(BytesView text) {
  Bytes out;
  append_path_escaped(text, out);
  return out;
}

Result<Bytes> path_unescape(BytesView escaped) {
  Bytes out;
  out.reserve(escaped.size());
  for (std::size_t at = 0; at < escaped.size(); ++at) {
    if (escaped[at] != '%') {
      out += escaped[at];
      continue;
    }
    const int high = at + 2 < escaped.size() ? hex_digit(escaped[at + 1]) : -1;
    const int low = at + 2 < escaped.size() ? hex_digit(escaped[at + 2]) : -1;
    if (high < 0 || low < 0) return fail(Errc::invalid_argument, "bad escape in " + printable(escaped));
    out += static_cast<char>(high << 4 | low);
    at += 2;
  }
  return out;
}

}  // namespace skerry::store
