// SPDX-License-Identifier: Apache-2.0
#include <charconv>

#include "net/stream.hpp"

namespace skerry::net {
namespace {

std::unexpected<Error> malformed(std::string_view text, std::string_view why) {
  return fail(Errc::invalid_argument, "address " + printable(text) + " " + std::string(why) +
                                          "; expected host:port, [IPv6]:port or :port, for example 127.0.0.1:6648");
}

}  // namespace

Result<Address> Address::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return malformed(text, "has no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.starts_with('[')) {
    if (!host.ends_with(']') || host.size() < 3) return malformed(text, "has an unfinished [IPv6] part");
    host = host.substr(1, host.size() - 2);
    if (host.find(':') == std::string_view::npos) return malformed(text, "has brackets around what is no IPv6 address");
  } else if (host.find(':') != std::string_view::npos) {
    return malformed(text, "has more than one colon (IPv6 addresses stand in brackets)");
  }
  for (const char c : host) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '/' || c == '[' || c == ']' || c == '\x7f') {
      return malformed(text, "has a character that no host name holds");
    }
  }
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (port.empty() || error != std::errc() || end != port.data() + port.size()) {
    return malformed(text, "has no port between 0 and 65535 after its last colon");
  }
  return Address{std::string(host), number};
}

std::string Address::text() const {
  const bool literal_v6 = host.find(':') != std::string::npos;
  return (literal_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace skerry::net
