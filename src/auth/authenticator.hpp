// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "auth/caller.hpp"
#include "auth/keys.hpp"
#include "auth/token.hpp"
#include "auth/users.hpp"

namespace skerry::auth {

// Who else may say who somebody is.
struct IssuerOptions {
  std::string url;                                // as it stands in the claim iss
  std::vector<std::string> audiences;             // one of them must stand in aud
  std::string user_name_claim = "sub";
  std::string roles_claim = {};                   // where the token says what its holder may do; "": nowhere
  std::optional<Role> default_role = {};          // of whom neither the users file nor the token gives any
  std::string key_file;
};

// Oxia's provider parameters, as JSON: {"issuers": {URL: {"allowedAudiences", "userNameClaim", "staticKeyFile"}}}, or the older
// form without "issuers". Ours in each: "rolesClaim" and "defaultRole".
Result<std::vector<IssuerOptions>> parse_provider_params(const std::string& text);

struct Issuer {
  IssuerOptions options;
  Keys keys;
};

// Tells who calls, from what they prove it with. Immutable and pure, so that all cores share one; a new users file or key makes a
// new one. Failures say what to do, and never repeat a token.
class Authenticator {
 public:
  Authenticator(std::optional<Users> users, std::vector<Issuer> issuers)
      : users_(std::move(users)), issuers_(std::move(issuers)) {}

  Result<Caller> by_token(std::string_view token, WallTime now) const;
  // By the names of a certificate that TLS has verified.
  Result<Caller> by_certificate(std::span<const std::string> names) const;

 private:
  Result<Caller> by_issuer(const Issuer& issuer, const Token& token, WallTime now) const;
  Result<Grants> grants_of(const Issuer& issuer, const Token& token, const std::string& name) const;

  std::optional<Users> users_;
  std::vector<Issuer> issuers_;
};

}   // namespace skerry::auth
