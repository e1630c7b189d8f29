// SPDX-License-Identifier: Apache-2.0
// What strangers hand in before they are known: a bearer token. The first byte says which other parser gets the rest instead.
#include <cstddef>
#include <cstdint>
#include <string>

#include "auth/authenticator.hpp"
#include "auth/secrets.hpp"
#include "base/assert.hpp"

namespace {

using namespace skerry;
using namespace skerry::auth;

const Authenticator& authenticator() {
  static const Authenticator made = [] {
    IssuerOptions options{.url = "i", .audiences = {"a"}, .roles_claim = "r", .key_file = {}};
    auto keys = Keys::parse(R"({"keys":[{"kty":"oct","k":")" + to_base64url(Bytes(32, 'k')) + "\"}]}", "keys");
    return Authenticator(std::nullopt, {{options, *std::move(keys)}});
  }();
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 'k') {
    static_cast<void>(Keys::parse(text, "keys"));
  } else if (data[0] == 'p') {
    static_cast<void>(parse_provider_params(text));
  } else if (data[0] == 'b') {
    if (const auto bytes = from_base64url(text)) SKERRY_ASSERT(to_base64url(*bytes) == text);
  } else {
    const auto caller = authenticator().by_token(text, WallTime{});
    SKERRY_ASSERT(!caller);   // nobody finds a signature by chance
    if (const auto token = Token::parse(text)) static_cast<void>(check_times(*token, WallTime{}));
  }
  return 0;
}
