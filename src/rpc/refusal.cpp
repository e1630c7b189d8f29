// SPDX-License-Identifier: Apache-2.0
#include "rpc/refusal.hpp"

#include <nghttp2/nghttp2.h>

namespace skerry::rpc {

Bytes refusal(std::uint32_t http2_code, std::string_view reason) {
  Bytes out("\0\0\0\x04\0\0\0\0\0", 9);
  const auto length = static_cast<std::uint32_t>(8 + reason.size());
  out += {static_cast<char>(length >> 16), static_cast<char>(length >> 8), static_cast<char>(length), '\x07', '\0'};
  append_big_endian(out, std::uint32_t{0});   // of the connection
  append_big_endian(out, std::uint32_t{0});   // no stream was taken
  append_big_endian(out, http2_code);
  return out.append(reason);
}

Bytes refusal_without_tls(BytesView first) {
  if (first.starts_with("PRI * HTTP/2")) {
    return refusal(NGHTTP2_INADEQUATE_SECURITY, "this port takes only connections with TLS: use tls://HOST:PORT");
  }
  if (first.empty() || first.front() < 'A' || first.front() > 'Z') return {};
  constexpr BytesView text = "This port takes only connections with TLS: use https://\n";
  return Bytes("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: ") +
         std::to_string(text.size()) + "\r\n\r\n" + Bytes(text);
}

}  // namespace skerry::rpc
