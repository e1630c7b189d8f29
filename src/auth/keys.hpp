// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

struct evp_pkey_st;

namespace skerry::auth {

// How a token is signed. A key serves one of them only, so that nobody passes a public key off as a shared secret.
enum class Signing : std::uint8_t { rs256, es256, hs256 };
Result<Signing> parse_signing(std::string_view name);   // "RS256"; refuses "none" and all that are not here

// The keys of whoever issues tokens, from a file: a JSON Web Key Set, or PEM with public keys or certificates. Immutable.
class Keys {
 public:
  // `name` is for messages. Fails with invalid_argument and says which key is wrong; keys for other uses are passed over.
  static Result<Keys> parse(std::string_view text, const std::string& name);

  // Whether one of the keys made the signature: the one of this id, or where the token names none, any that fits.
  Result<> verify(Signing signing, std::string_view key_id, BytesView signed_bytes, BytesView signature) const;
  std::size_t size() const { return keys_.size(); }

 private:
  struct Key;
  static Result<Keys> parse_set(std::string_view text, const std::string& name);
  static Result<Keys> parse_pem(std::string_view text, const std::string& name);
  std::vector<std::shared_ptr<const Key>> keys_;
};

}  // namespace skerry::auth
