// SPDX-License-Identifier: Apache-2.0
#include "auth/authenticator.hpp"

#include <fmt/ranges.h>

#include <algorithm>

namespace skerry::auth {
namespace {

namespace json = boost::json;

std::unexpected<Error> refuse(std::string text) { return fail(Errc::invalid_argument, std::move(text)); }

// "admin", ["read", "orders:write"] or {"orders": "write"}. What is no role is passed over: it gives nothing.
void take_roles(const json::value& value, Grants& grants) {
  if (const json::object* object = value.if_object()) {
    for (const auto& [name_space, role] : *object) {
      const auto parsed = role.is_string() ? parse_role(role.get_string()) : std::nullopt;
      if (parsed) grants.give(name_space, *parsed);
    }
  } else if (const json::array* list = value.if_array()) {
    for (const json::value& each : *list) {
      if (each.is_string()) take_roles(each, grants);
    }
  } else if (value.is_string()) {
    const std::string_view text = value.get_string();
    const std::size_t colon = text.rfind(':');
    const auto role = parse_role(colon == std::string_view::npos ? text : text.substr(colon + 1));
    const std::string_view name_space = colon == std::string_view::npos ? Grants::every_namespace : text.substr(0, colon);
    if (role) grants.raise(std::string(name_space), *role);
  }
}

}  // namespace

Result<Caller> Authenticator::by_token(std::string_view token, WallTime now) const {
  if (token.empty()) return refuse("the token is empty");
  if (users_) {
    if (const Users::User* user = users_->with_token(token)) return Caller{user->name, user->grants};
  }
  if (issuers_.empty()) return refuse("the token is not one that this server knows: ask for a current one");
  TRY(const Token parsed, Token::parse(token));
  const std::string url = parsed.text("iss");
  const auto issuer = std::ranges::find(issuers_, url, [](const Issuer& each) -> const std::string& { return each.options.url; });
  if (issuer == issuers_.end()) return refuse(fmt::format("the token's issuer {} is not trusted here", printable(url)));
  return by_issuer(*issuer, parsed, now);
}

Result<Caller> Authenticator::by_issuer(const Issuer& issuer, const Token& token, WallTime now) const {
  TRYV(issuer.keys.verify(token.signing, token.key_id, token.signed_bytes, token.signature));
  TRY(const WallTime expires, check_times(token, now));
  const auto named = [&](const std::string& audience) { return token.names_audience(audience); };
  if (std::ranges::none_of(issuer.options.audiences, named)) {
    return refuse(
        fmt::format("the token is for another audience; this server takes {}", fmt::join(issuer.options.audiences, ", ")));
  }
  std::string name = token.text(issuer.options.user_name_claim);
  if (name.empty()) {
    return refuse(fmt::format("the token does not say who its holder is: {} is missing", issuer.options.user_name_claim));
  }
  TRY(Grants grants, grants_of(issuer, token, name));
  return Caller{std::move(name), std::move(grants), expires};
}

// The users file has the first word, then the token, then the issuer's default.
Result<Grants> Authenticator::grants_of(const Issuer& issuer, const Token& token, const std::string& name) const {
  if (const Users::User* user = users_ ? users_->vouched_for(name) : nullptr) return user->grants;
  if (!issuer.options.roles_claim.empty()) {
    Grants grants;
    if (const json::value* claimed = token.claims.if_contains(issuer.options.roles_claim)) take_roles(*claimed, grants);
    if (!grants.empty()) return grants;
  }
  if (issuer.options.default_role) return Grants::everywhere(*issuer.options.default_role);
  // Where nothing at all speaks of roles, a valid token may read and write, as Oxia's users are used to.
  const bool roles_are_given = users_ || !issuer.options.roles_claim.empty();
  return roles_are_given ? Grants{} : Grants::everywhere(Role::write);
}

Result<Caller> Authenticator::by_certificate(std::span<const std::string> names) const {
  const Users::User* user = users_ ? users_->with_certificate(names) : nullptr;
  if (user != nullptr) return Caller{user->name, user->grants};
  return refuse(fmt::format("the client certificate of {} belongs to no user here, and no token was sent",
                            names.empty() ? "nobody" : printable(names.front())));
}

}  // namespace skerry::auth
