// SPDX-License-Identifier: Apache-2.0
#include "auth/token.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <cmath>

#include "auth/secrets.hpp"

namespace skerry::auth {
namespace {

namespace json = boost::json;

constexpr std::size_t token_bytes_max = 12 << 10;   // what fits beside other headers

std::unexpected<Error> malformed(const std::string& what) { return fail(Errc::invalid_argument, "the token " + what); }

Result<json::object> decode(std::string_view part, const std::string& which) {
  const auto bytes = from_base64url(part);
  if (!bytes) return malformed("is malformed: its " + which + " is not base64url");
  boost::system::error_code error;
  json::value value = json::parse(*bytes, error);
  if (error || !value.is_object()) return malformed("is malformed: its " + which + " is no JSON object");
  return std::move(value.get_object());
}

// Seconds since the epoch, whole or not, within what a clock can show.
Result<std::optional<WallTime>> time_of(const json::object& claims, std::string_view claim) {
  const json::value* found = claims.if_contains(claim);
  if (found == nullptr) return std::nullopt;
  boost::system::error_code error;
  const double seconds = found->to_number<double>(error);
  constexpr double seconds_max = 1e11;
  if (error || !std::isfinite(seconds) || std::abs(seconds) > seconds_max) {
    return malformed("is malformed: " + std::string(claim) + " is no time");
  }
  return WallTime(std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000)));
}

}  // namespace

Result<Token> Token::parse(std::string_view text) {
  if (text.size() > token_bytes_max) return malformed("is longer than " + std::to_string(token_bytes_max) + " bytes");
  const std::size_t first = text.find('.'), second = text.find('.', first == std::string_view::npos ? first : first + 1);
  if (second == std::string_view::npos || text.find('.', second + 1) != std::string_view::npos) {
    return malformed("is not one that this server knows, and no JSON Web Token");
  }
  TRY(const json::object header, decode(text.substr(0, first), "header"));
  const json::value* algorithm = header.if_contains("alg");
  if (algorithm == nullptr || !algorithm->is_string()) return malformed("does not say how it is signed");
  TRY(const Signing signing, parse_signing(algorithm->get_string()));
  if (header.contains("crit")) return fail(Errc::unsupported, "the token has critical extensions, which are not understood here");
  Token token{signing, {}, {}, std::string(text.substr(0, second)), {}};
  if (const json::value* id = header.if_contains("kid"); id != nullptr && id->is_string()) token.key_id = id->get_string();
  TRY(token.claims, decode(text.substr(first + 1, second - first - 1), "body"));
  const auto signature = from_base64url(text.substr(second + 1));
  if (!signature) return malformed("is malformed: its signature is not base64url");
  token.signature = *signature;
  return token;
}

std::string Token::text(std::string_view claim) const {
  const json::value* found = claims.if_contains(claim);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

bool Token::names_audience(std::string_view audience) const {
  const json::value* found = claims.if_contains("aud");
  if (found == nullptr) return false;
  if (found->is_string()) return found->get_string() == audience;
  if (!found->is_array()) return false;
  return std::ranges::any_of(found->get_array(),
                             [&](const json::value& each) { return each.is_string() && each.get_string() == audience; });
}

Result<WallTime> check_times(const Token& token, WallTime now) {
  TRY(const auto expires, time_of(token.claims, "exp"));
  TRY(const auto begins, time_of(token.claims, "nbf"));
  if (!expires) return malformed("never expires (exp is missing): such tokens are not accepted");
  if (now >= *expires + clock_leeway) {
    const auto ago = std::chrono::duration_cast<std::chrono::seconds>(now - *expires);
    return malformed("expired " + std::to_string(ago.count()) + " s ago: get a new one");
  }
  if (begins && now + clock_leeway < *begins) return malformed("is not valid yet (nbf): compare the clocks");
  return *expires + clock_leeway;
}

}  // namespace skerry::auth
