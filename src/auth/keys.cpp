// SPDX-License-Identifier: Apache-2.0
#include "auth/keys.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <optional>

#include "auth/secrets.hpp"
#include "base/assert.hpp"

namespace skerry::auth {
namespace {

namespace json = boost::json;

constexpr std::size_t keys_max = 64;
constexpr int rsa_bits_min = 2048;
constexpr std::size_t secret_bytes_min = 32;     // as long as what it makes (RFC 7518, 3.2)
constexpr std::size_t es256_half_bytes = 32;

struct Free {
  void operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(BIGNUM* number) const { BN_free(number); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
  void operator()(OSSL_PARAM_BLD* builder) const { OSSL_PARAM_BLD_free(builder); }
  void operator()(OSSL_PARAM* parameters) const { OSSL_PARAM_free(parameters); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

const unsigned char* raw(BytesView bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

std::unexpected<Error> refuse(const std::string& name, const std::string& why) {
  return fail(Errc::invalid_argument, name + ": " + why);
}

std::string text_of(const json::object& object, std::string_view field) {
  const json::value* found = object.if_contains(field);
  const json::string* text = found != nullptr ? found->if_string() : nullptr;
  return text != nullptr ? std::string(*text) : std::string();
}

// What can be signed with it; nothing for kinds that no token here is signed with.
std::optional<Signing> signing_of(const EVP_PKEY* key) {
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) return Signing::rs256;
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && EVP_PKEY_get_bits(key) == 256) return Signing::es256;
  return std::nullopt;
}

Owned<EVP_PKEY> make_key(const char* kind, OSSL_PARAM_BLD* builder) {
  const Owned<OSSL_PARAM> parameters(OSSL_PARAM_BLD_to_param(builder));
  const Owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr));
  EVP_PKEY* made = nullptr;
  if (parameters == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
    ERR_clear_error();
    return nullptr;
  }
  return Owned<EVP_PKEY>(made);
}

Owned<EVP_PKEY> rsa_key(const json::object& described) {
  const auto modulus = from_base64url(text_of(described, "n")), exponent = from_base64url(text_of(described, "e"));
  if (!modulus || !exponent || modulus->empty() || exponent->empty()) return nullptr;
  const Owned<BIGNUM> n(BN_bin2bn(raw(*modulus), static_cast<int>(modulus->size()), nullptr));
  const Owned<BIGNUM> e(BN_bin2bn(raw(*exponent), static_cast<int>(exponent->size()), nullptr));
  const Owned<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
  return make_key("RSA", builder.get());
}

Owned<EVP_PKEY> p256_key(const json::object& described) {
  const auto x = from_base64url(text_of(described, "x")), y = from_base64url(text_of(described, "y"));
  if (!x || !y || x->size() != es256_half_bytes || y->size() != es256_half_bytes) return nullptr;
  const Bytes point = '\x04' + *x + *y;   // uncompressed
  const Owned<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
  return make_key("EC", builder.get());
}

// ES256 is two numbers side by side; OpenSSL wants them in DER.
std::optional<Bytes> der_of(BytesView halves) {
  if (halves.size() != 2 * es256_half_bytes) return std::nullopt;
  const Owned<ECDSA_SIG> signature(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(raw(halves), es256_half_bytes, nullptr);
  BIGNUM* s = BN_bin2bn(raw(halves) + es256_half_bytes, es256_half_bytes, nullptr);
  SKERRY_ASSERT(ECDSA_SIG_set0(signature.get(), r, s) == 1);
  Bytes der(static_cast<std::size_t>(i2d_ECDSA_SIG(signature.get(), nullptr)), '\0');
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  i2d_ECDSA_SIG(signature.get(), &out);
  return der;
}

}  // namespace

struct Keys::Key {
  Signing signing;
  std::string id;
  Owned<EVP_PKEY> public_key;
  Bytes secret;   // of hs256

  bool made(BytesView signed_bytes, BytesView signature) const {
    if (signing == Signing::hs256) return made_with_secret(signed_bytes, signature);
    const auto der = signing == Signing::es256 ? der_of(signature) : std::optional<Bytes>(signature);
    if (!der) return false;
    const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
    const bool good = EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, public_key.get()) == 1 &&
                      EVP_DigestVerify(context.get(), raw(*der), der->size(), raw(signed_bytes), signed_bytes.size()) == 1;
    ERR_clear_error();
    return good;
  }
  bool made_with_secret(BytesView signed_bytes, BytesView signature) const {
    unsigned char made[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    const auto* done =
        HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), raw(signed_bytes), signed_bytes.size(), made, &length);
    return done != nullptr && equal_secrets({reinterpret_cast<const char*>(made), length}, signature);
  }
};

Result<Signing> parse_signing(std::string_view name) {
  if (name == "RS256") return Signing::rs256;
  if (name == "ES256") return Signing::es256;
  if (name == "HS256") return Signing::hs256;
  return fail(Errc::unsupported, "the token is signed by " + printable(name, 32) + "; RS256, ES256 and HS256 are accepted");
}

Result<Keys> Keys::parse(std::string_view text, const std::string& name) {
  const std::size_t start = text.find_first_not_of(" \t\r\n");
  const std::string_view body = start == std::string_view::npos ? std::string_view() : text.substr(start);
  TRY(Keys keys, body.starts_with('{') ? parse_set(body, name) : parse_pem(body, name));
  if (keys.keys_.empty()) {
    return refuse(name, "there is no key in it that verifies RS256, ES256 or HS256; expected a JSON Web Key Set or PEM");
  }
  if (keys.keys_.size() > keys_max) {
    return refuse(name, "it holds " + std::to_string(keys.keys_.size()) + " keys, the limit is " + std::to_string(keys_max));
  }
  return keys;
}

Result<Keys> Keys::parse_set(std::string_view text, const std::string& name) {
  boost::system::error_code error;
  const json::value document = json::parse(text, error);
  const json::object* object = error ? nullptr : document.if_object();
  const json::value* list = object != nullptr ? object->if_contains("keys") : nullptr;
  const json::array* described = list != nullptr ? list->if_array() : nullptr;
  if (described == nullptr) return refuse(name, "this is no JSON Web Key Set: {\"keys\": [...]} is expected");
  Keys keys;
  for (const json::value& each : *described) {
    const json::object* one = each.if_object();
    if (one == nullptr) return refuse(name, "key " + std::to_string(keys.keys_.size() + 1) + " is no JSON object");
    const std::string kind = text_of(*one, "kty"), use = text_of(*one, "use"), algorithm = text_of(*one, "alg");
    Key key{Signing::rs256, text_of(*one, "kid"), nullptr, {}};
    const bool p256 = kind == "EC" && text_of(*one, "crv") == "P-256";
    if (kind == "EC") key.signing = Signing::es256;
    if (kind == "oct") key.signing = Signing::hs256;
    if ((kind != "RSA" && kind != "oct" && !p256) || use == "enc") continue;
    if (!algorithm.empty()) {   // meant for another one
      const auto meant = parse_signing(algorithm);
      if (!meant || *meant != key.signing) continue;
    }
    const std::string which = "key " + printable(key.id);
    if (kind == "oct") {
      const auto secret = from_base64url(text_of(*one, "k"));
      if (!secret || secret->size() < secret_bytes_min) {
        return refuse(name, which + " is shorter than " + std::to_string(secret_bytes_min) + " bytes, or not base64url");
      }
      key.secret = *secret;
    } else {
      key.public_key = kind == "RSA" ? rsa_key(*one) : p256_key(*one);
      if (key.public_key == nullptr) return refuse(name, which + " is malformed");
      if (kind == "RSA" && EVP_PKEY_get_bits(key.public_key.get()) < rsa_bits_min) {
        return refuse(name, which + " has less than " + std::to_string(rsa_bits_min) + " bits");
      }
    }
    keys.keys_.push_back(std::make_shared<const Key>(std::move(key)));
  }
  return keys;
}

Result<Keys> Keys::parse_pem(std::string_view text, const std::string& name) {
  Keys keys;
  const Owned<BIO> bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  for (;;) {
    char *label = nullptr, *header = nullptr;
    unsigned char* bytes = nullptr;
    long length = 0;
    ERR_clear_error();
    if (PEM_read_bio(bio.get(), &label, &header, &bytes, &length) != 1) break;
    const std::string kind = label;
    const unsigned char* at = bytes;
    Owned<EVP_PKEY> key;
    if (kind == "PUBLIC KEY") key.reset(d2i_PUBKEY(nullptr, &at, length));
    if (kind == "CERTIFICATE") {
      const Owned<X509> certificate(d2i_X509(nullptr, &at, length));
      if (certificate != nullptr) key.reset(X509_get_pubkey(certificate.get()));
    }
    OPENSSL_free(label);
    OPENSSL_free(header);
    OPENSSL_free(bytes);
    const std::string which = "block " + std::to_string(keys.keys_.size() + 1) + " (" + kind + ")";
    if (kind.find("PRIVATE KEY") != std::string::npos) {
      return refuse(name, which + " is a private key, which belongs to the issuer alone; give the public one");
    }
    const auto signing = key != nullptr ? signing_of(key.get()) : std::nullopt;
    if (!signing) return refuse(name, which + " is no public key or certificate with RSA or P-256");
    if (*signing == Signing::rs256 && EVP_PKEY_get_bits(key.get()) < rsa_bits_min) {
      return refuse(name, which + " has less than " + std::to_string(rsa_bits_min) + " bits");
    }
    keys.keys_.push_back(std::make_shared<const Key>(Key{*signing, {}, std::move(key), {}}));
  }
  ERR_clear_error();
  return keys;
}

Result<> Keys::verify(Signing signing, std::string_view key_id, BytesView signed_bytes, BytesView signature) const {
  bool fits = false;
  for (const auto& key : keys_) {
    if (key->signing != signing || (!key_id.empty() && !key->id.empty() && key->id != key_id)) continue;
    fits = true;
    if (key->made(signed_bytes, signature)) return {};
  }
  if (fits) return fail(Errc::invalid_argument, "the token's signature is wrong");
  return fail(Errc::not_found,
              "the token is signed with key " + printable(key_id) + ", which is not among the issuer's keys here");
}

}  // namespace skerry::auth
