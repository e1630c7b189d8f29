// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <boost/json/object.hpp>
#include <string>
#include <string_view>

#include "auth/keys.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace skerry::auth {

// A JSON Web Token in its compact form, taken apart. Nothing of it may be believed before the signature was verified.
struct Token {
  Signing signing;
  std::string key_id;
  boost::json::object claims;
  std::string signed_bytes;
  Bytes signature;

  // Fails with invalid_argument or unsupported; the text never repeats the token.
  static Result<Token> parse(std::string_view text);

  std::string text(std::string_view claim) const;   // "" when it is none, or no text
  bool names_audience(std::string_view audience) const;
};

// How far the clock of the issuer may be from this one.
constexpr auto clock_leeway = std::chrono::milliseconds(30s);

// Whether the token is valid at this time: exp, which must be there, and nbf. Returns when it ends, the leeway included.
Result<WallTime> check_times(const Token& token, WallTime now);

}  // namespace skerry::auth
