// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "auth/caller.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"

namespace skerry::auth {

// The users file: who may do what, and how each proves who they are. YAML:
//   users:
//     - name: billing
//       token-sha256: 6b86…            # or a list, while a token is being replaced
//       certificate: billing.internal  # a name in a client certificate; one of both is enough
//       roles: {default: write, "*": read}
// A user without either can only be one whom somebody else vouches for: a token of an issuer with this name.
// Tokens are random and long (`skerry token` makes them), so one round of SHA-256 keeps them as well as any slow hash would keep
// a password; passwords have no place here. Immutable.
class Users {
 public:
  // `name` of the file, for messages. Fails with invalid_argument, naming file, line and what is expected.
  static Result<Users> parse(const std::string& text, const std::string& name);

  struct User {
    std::string name;
    Grants grants;
  };
  const User* with_token(BytesView token) const;
  const User* with_certificate(std::span<const std::string> names) const;   // the first name that is known
  const User* named(std::string_view name) const;
  // The user of that name, unless he has a token or certificate of his own: then nobody else's word is taken for him.
  const User* vouched_for(std::string_view name) const;
  std::size_t size() const { return by_name_.size(); }

 private:
  friend class UsersFile;
  std::map<std::string, User, std::less<>> by_name_;   // addresses stay
  std::map<Bytes, std::string, std::less<>> by_digest_;   // to names
  std::map<std::string, std::string, std::less<>> by_certificate_;
};

}  // namespace skerry::auth
