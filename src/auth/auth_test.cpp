// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <memory>

#include "auth/authenticator.hpp"
#include "auth/secrets.hpp"

namespace skerry::auth {
namespace {

const WallTime now{std::chrono::seconds(1'800'000'000)};
constexpr std::int64_t soon = 1'800'000'600, long_ago = 1'799'000'000;

struct KeyDeleter {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Key = std::unique_ptr<EVP_PKEY, KeyDeleter>;

std::string public_pem(EVP_PKEY* key) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PUBKEY(bio, key);
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(length));
  BIO_free(bio);
  return text;
}

Bytes bytes_of(EVP_PKEY* key, const char* what) {
  BIGNUM* number = nullptr;
  EVP_PKEY_get_bn_param(key, what, &number);
  Bytes bytes(static_cast<std::size_t>(BN_num_bytes(number)), '\0');
  BN_bn2bin(number, reinterpret_cast<unsigned char*>(bytes.data()));
  BN_free(number);
  return bytes;
}

// What an issuer does.
class IssuerOfTokens {
 public:
  Key rsa{EVP_RSA_gen(2048)}, ec{EVP_EC_gen("P-256")};
  const Bytes secret = Bytes(32, 's');

  std::string sign(const std::string& header, const std::string& claims, const std::string& algorithm) const {
    const std::string text = to_base64url(header) + "." + to_base64url(claims);
    return text + "." + to_base64url(signature(text, algorithm));
  }
  std::string token(const std::string& algorithm, const std::string& claims, const std::string& id = "") const {
    const std::string key = id.empty() ? "" : R"(,"kid":")" + id + "\"";
    return sign(R"({"typ":"JWT","alg":")" + algorithm + "\"" + key + "}", claims, algorithm);
  }
  std::string key_set() const {
    return R"({"keys":[{"kty":"RSA","kid":"r","use":"sig","alg":"RS256","n":")" +
           to_base64url(bytes_of(rsa.get(), OSSL_PKEY_PARAM_RSA_N)) +
           R"(","e":"AQAB"},{"kty":"EC","kid":"e","crv":"P-256","x":")" + coordinate(OSSL_PKEY_PARAM_EC_PUB_X) + R"(","y":")" +
           coordinate(OSSL_PKEY_PARAM_EC_PUB_Y) + R"("},{"kty":"oct","kid":"h","k":")" + to_base64url(secret) +
           R"("},{"kty":"OKP","crv":"Ed25519","x":"AAAA"}]})";
  }

 private:
  std::string coordinate(const char* which) const {
    Bytes bytes = bytes_of(ec.get(), which);
    return to_base64url(Bytes(32 - bytes.size(), '\0') + bytes);
  }
  Bytes signature(const std::string& text, const std::string& algorithm) const {
    const auto* raw = reinterpret_cast<const unsigned char*>(text.data());
    if (algorithm == "HS256") {
      Bytes made(32, '\0');
      HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), raw, text.size(),
           reinterpret_cast<unsigned char*>(made.data()), nullptr);
      return made;
    }
    if (algorithm == "none") return "";
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, algorithm == "ES256" ? ec.get() : rsa.get());
    std::size_t length = 1024;
    Bytes made(length, '\0');
    EVP_DigestSign(context, reinterpret_cast<unsigned char*>(made.data()), &length, raw, text.size());
    EVP_MD_CTX_free(context);
    made.resize(length);
    return algorithm == "ES256" ? halves(made) : made;
  }
  static Bytes halves(const Bytes& der) {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    ECDSA_SIG* signature = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
    Bytes both(64, '\0');
    auto* out = reinterpret_cast<unsigned char*>(both.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + 32, 32);
    ECDSA_SIG_free(signature);
    return both;
  }
};

const IssuerOfTokens& issuer() {
  static const IssuerOfTokens made;   // keys take their time
  return made;
}

std::string claims(const std::string& more = "", std::int64_t expires = soon) {
  return R"({"iss":"https://idp","aud":["other","skerry"],"sub":"anna","exp":)" + std::to_string(expires) + more + "}";
}

Authenticator trusting(const std::string& keys, IssuerOptions options = {}, std::optional<Users> users = {}) {
  options.url = "https://idp";
  if (options.audiences.empty()) options.audiences = {"skerry"};
  std::vector<Issuer> issuers;
  issuers.push_back({std::move(options), *Keys::parse(keys, "keys")});
  return {std::move(users), std::move(issuers)};
}

IssuerOptions with_roles(std::optional<Role> by_default = {}) {
  IssuerOptions options;
  options.roles_claim = "roles";
  options.default_role = by_default;
  return options;
}

std::string refusal(const Authenticator& authenticator, const std::string& token) {
  const auto caller = authenticator.by_token(token, now);
  return caller ? "accepted" : caller.error().message();
}

Users users(const std::string& text) {
  auto parsed = Users::parse(text, "users.yaml");
  EXPECT_TRUE(parsed) << parsed.error().message();
  return parsed ? *std::move(parsed) : Users();
}
std::string users_refusal(const std::string& text) {
  const auto parsed = Users::parse(text, "users.yaml");
  return parsed ? "accepted" : parsed.error().message();
}

TEST(Secrets, base64url_has_one_form_of_everything) {
  for (const std::string text : {"", "f", "fo", "foo", "\xFF\xFE\xFD"}) EXPECT_EQ(from_base64url(to_base64url(text)), text);
  EXPECT_EQ(to_base64url("\xFB\xFF"), "-_8");
  EXPECT_FALSE(from_base64url("-_9"));    // the same bytes, other spare bits
  EXPECT_FALSE(from_base64url("-_8="));
  EXPECT_FALSE(from_base64url("a"));
  EXPECT_EQ(to_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_FALSE(from_hex("abc"));
  EXPECT_TRUE(equal_secrets("same", "same"));
  EXPECT_FALSE(equal_secrets("same", "sane"));
  EXPECT_FALSE(equal_secrets("same", "sam"));
}

TEST(Grants, the_named_namespace_has_the_word_before_the_star) {
  Grants grants = Grants::everywhere(Role::write);
  grants.give("secret", Role::none);
  grants.give("mine", Role::admin);
  EXPECT_EQ(grants.in("default"), Role::write);
  EXPECT_EQ(grants.in("secret"), Role::none);
  EXPECT_EQ(grants.in("mine"), Role::admin);
  EXPECT_EQ(grants.in_every(), Role::write);
  EXPECT_EQ(grants.highest(), Role::admin);
  EXPECT_EQ(Grants().in("default"), Role::none);
}

TEST(Users, are_known_by_their_token_or_their_certificate) {
  const Users known =
      users("users:\n- name: anna\n  token-sha256: [" + to_hex(sha256("old")) + ", " + to_hex(sha256("new")) +
            "]\n  roles: {default: write, '*': read}\n- name: bob\n  certificate: bob.example\n  roles: {'*': admin}\n"
            "- name: carl\n");
  for (const char* token : {"old", "new"}) {
    ASSERT_NE(known.with_token(token), nullptr);
    EXPECT_EQ(known.with_token(token)->name, "anna");
  }
  EXPECT_EQ(known.with_token("newer"), nullptr);
  EXPECT_EQ(known.with_token(""), nullptr);
  const std::vector<std::string> names = {"unknown", "bob.example"};
  ASSERT_NE(known.with_certificate(names), nullptr);
  EXPECT_EQ(known.with_certificate(names)->grants.in_every(), Role::admin);
  EXPECT_EQ(known.named("carl")->grants.highest(), Role::none);
}

TEST(Users, a_mistake_in_the_file_is_named_with_its_line) {
  EXPECT_NE(users_refusal("users:\n- name: a\n  roles: {x: king}").find("users.yaml:3: expected a role"), std::string::npos);
  EXPECT_NE(users_refusal("users:\n- name: a\n  tokens: 1").find("users.yaml:3: \"tokens\" is nothing"), std::string::npos);
  EXPECT_NE(users_refusal("users:\n- name: a\n- name: a").find("given twice"), std::string::npos);
  EXPECT_NE(users_refusal("users:\n- roles: {}").find("needs a name"), std::string::npos);
  EXPECT_NE(users_refusal("[]").find("one list named users"), std::string::npos);
  EXPECT_NE(users_refusal("users: [").find("not valid YAML"), std::string::npos);
  EXPECT_EQ(users_refusal("users: []"), "accepted");
}

TEST(Users, a_token_written_in_place_of_its_hash_is_not_repeated) {
  const std::string text = users_refusal("users:\n- name: a\n  token-sha256: my-secret-token");
  EXPECT_NE(text.find("64 hex digits"), std::string::npos);
  EXPECT_EQ(text.find("my-secret-token"), std::string::npos);
}

TEST(Tokens, of_all_three_kinds_are_accepted_from_a_key_set) {
  const Authenticator authenticator = trusting(issuer().key_set());
  for (const auto& [algorithm, id] : {std::pair("RS256", "r"), {"ES256", "e"}, {"HS256", "h"}}) {
    for (const char* named : {id, ""}) {
      const auto caller = authenticator.by_token(issuer().token(algorithm, claims(), named), now);
      ASSERT_TRUE(caller) << algorithm << ": " << caller.error().message();
      EXPECT_EQ(caller->name, "anna");
      EXPECT_EQ(caller->expires, WallTime(std::chrono::seconds(soon)) + clock_leeway);
      EXPECT_EQ(caller->grants.in("any"), Role::write);   // nothing speaks of roles
    }
  }
  EXPECT_NE(refusal(authenticator, issuer().token("RS256", claims(), "unknown")).find("not among the issuer's keys"),
            std::string::npos);
  EXPECT_NE(refusal(authenticator, issuer().token("RS256", claims(), "e")).find("not among"), std::string::npos);
}

TEST(Tokens, are_accepted_from_public_keys_in_pem) {
  const Authenticator authenticator = trusting(public_pem(issuer().rsa.get()) + public_pem(issuer().ec.get()));
  EXPECT_EQ(refusal(authenticator, issuer().token("RS256", claims())), "accepted");
  EXPECT_EQ(refusal(authenticator, issuer().token("ES256", claims())), "accepted");
  EXPECT_NE(refusal(authenticator, issuer().token("HS256", claims())).find("not among"), std::string::npos);
}

TEST(Tokens, that_were_tampered_with_are_refused) {
  const Authenticator authenticator = trusting(issuer().key_set());
  const std::string token = issuer().token("ES256", claims());
  const std::size_t first = token.find('.'), second = token.rfind('.');
  const std::string body = to_base64url(claims(R"(,"roles":"admin")"));
  EXPECT_NE(refusal(authenticator, token.substr(0, first + 1) + body + token.substr(second)).find("signature is wrong"),
            std::string::npos);
  EXPECT_NE(refusal(authenticator, token.substr(0, second + 1)).find("signature is wrong"), std::string::npos);
  EXPECT_NE(refusal(authenticator, token.substr(0, second)).find("no JSON Web Token"), std::string::npos);
  EXPECT_NE(refusal(authenticator, token + ".more").find("no JSON Web Token"), std::string::npos);
  EXPECT_NE(refusal(authenticator, "a.b.c").find("malformed"), std::string::npos);
}

// The public key is known to all: whoever could pass it off as a secret would make tokens of their own.
TEST(Tokens, without_signature_or_signed_with_a_public_key_as_secret_are_refused) {
  const std::string pem = public_pem(issuer().rsa.get());
  const Authenticator authenticator = trusting(pem);
  for (const char* none : {"none", "None", "NONE"}) {
    EXPECT_NE(refusal(authenticator, issuer().sign(R"({"alg":")" + std::string(none) + "\"}", claims(), "none")).find("RS256"),
              std::string::npos);
  }
  const std::string text = to_base64url(R"({"alg":"HS256"})") + "." + to_base64url(claims());
  Bytes made(32, '\0');
  HMAC(EVP_sha256(), pem.data(), static_cast<int>(pem.size()), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
       reinterpret_cast<unsigned char*>(made.data()), nullptr);
  EXPECT_NE(refusal(authenticator, text + "." + to_base64url(made)).find("not among"), std::string::npos);
  EXPECT_NE(refusal(authenticator, issuer().sign(R"({"alg":"RS256","crit":["b64"]})", claims(), "RS256")).find("critical"),
            std::string::npos);
}

TEST(Tokens, have_a_time_an_issuer_and_an_audience) {
  const Authenticator authenticator = trusting(issuer().key_set());
  const auto of = [&](const std::string& text) { return refusal(authenticator, issuer().token("HS256", text)); };
  EXPECT_NE(of(claims("", long_ago)).find("expired 1000000 s ago"), std::string::npos);
  EXPECT_EQ(of(claims("", 1'799'999'990)), "accepted");   // within the leeway
  EXPECT_NE(of(claims(R"(,"nbf":1800000100)")).find("not valid yet"), std::string::npos);
  EXPECT_NE(of(R"({"iss":"https://idp","aud":"skerry","sub":"a"})").find("never expires"), std::string::npos);
  EXPECT_NE(of(R"({"iss":"https://idp","aud":"skerry","sub":"a","exp":"soon"})").find("exp is no time"), std::string::npos);
  EXPECT_NE(of(R"({"iss":"https://idp","aud":"skerry","sub":"a","exp":1e300})").find("exp is no time"), std::string::npos);
  EXPECT_NE(of(R"({"iss":"https://else","aud":"skerry","sub":"a","exp":1800000600})").find("is not trusted"), std::string::npos);
  EXPECT_NE(of(R"({"iss":"https://idp","aud":"other","sub":"a","exp":1800000600})").find("another audience"), std::string::npos);
  EXPECT_NE(of(R"({"iss":"https://idp","aud":"skerry","exp":1800000600})").find("sub is missing"), std::string::npos);
}

TEST(Tokens, roles_come_from_the_users_file_then_from_the_token_then_from_the_issuer) {
  const auto role = [](const Authenticator& authenticator, const std::string& more, const char* name_space) {
    const auto caller = authenticator.by_token(issuer().token("HS256", claims(more)), now);
    EXPECT_TRUE(caller) << caller.error().message();
    return caller->grants.in(name_space);
  };
  const std::string keys = issuer().key_set();
  const Authenticator by_claim = trusting(keys, with_roles());
  EXPECT_EQ(role(by_claim, R"(,"roles":"admin")", "x"), Role::admin);
  EXPECT_EQ(role(by_claim, R"(,"roles":["read","x:write","nonsense"])", "x"), Role::write);
  EXPECT_EQ(role(by_claim, R"(,"roles":["read","x:write"])", "y"), Role::read);
  EXPECT_EQ(role(by_claim, R"(,"roles":{"x":"write"})", "x"), Role::write);
  EXPECT_EQ(role(by_claim, R"(,"roles":{"x":"write"})", "y"), Role::none);
  EXPECT_EQ(role(by_claim, "", "x"), Role::none);
  const Authenticator with_default = trusting(keys, with_roles(Role::read));
  EXPECT_EQ(role(with_default, "", "x"), Role::read);
  const Authenticator with_users = trusting(keys, with_roles(), users("users: [{name: anna, roles: {x: read}}]"));
  EXPECT_EQ(role(with_users, R"(,"roles":"admin")", "x"), Role::read);
}

TEST(Authenticator, tells_an_unknown_token_or_certificate_what_to_do) {
  const Authenticator authenticator(users("users: [{name: anna, certificate: anna, roles: {'*': read}}]"), {});
  EXPECT_NE(refusal(authenticator, "guess").find("ask for a current one"), std::string::npos);
  EXPECT_NE(refusal(authenticator, "").find("empty"), std::string::npos);
  const std::vector<std::string> anna = {"anna"}, eve = {"eve"};
  EXPECT_EQ(authenticator.by_certificate(anna)->name, "anna");
  EXPECT_NE(authenticator.by_certificate(eve).error().message().find("\"eve\" belongs to no user"), std::string::npos);
}

TEST(Keys, that_are_weak_or_private_or_malformed_are_refused) {
  const auto refused = [](const std::string& text) {
    const auto keys = Keys::parse(text, "keys.json");
    return keys ? "accepted" : keys.error().message();
  };
  EXPECT_NE(refused("").find("there is no key"), std::string::npos);
  EXPECT_NE(refused("{}").find("no JSON Web Key Set"), std::string::npos);
  EXPECT_NE(refused(R"({"keys":[{"kty":"oct","k":"c2hvcnQ"}]})").find("shorter than 32"), std::string::npos);
  EXPECT_NE(refused(R"({"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]})").find("malformed"), std::string::npos);
  EXPECT_NE(refused(R"({"keys":[{"kty":"OKP","crv":"Ed25519","x":"AAAA"}]})").find("there is no key"), std::string::npos);
  const Key weak(EVP_RSA_gen(1024));
  EXPECT_NE(refused(public_pem(weak.get())).find("less than 2048 bits"), std::string::npos);
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, issuer().ec.get(), nullptr, nullptr, 0, nullptr, nullptr);
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio, &data);
  EXPECT_NE(refused(std::string(data, static_cast<std::size_t>(length))).find("belongs to the issuer alone"), std::string::npos);
  BIO_free(bio);
}

TEST(ProviderParams, are_taken_in_both_of_oxias_forms) {
  const auto issuers = parse_provider_params(
      R"({"issuers":{"https://a":{"allowedAudiences":"x, y","userNameClaim":"email","staticKeyFile":"/k","rolesClaim":"r","defaultRole":"read"}}})");
  ASSERT_TRUE(issuers) << issuers.error().message();
  EXPECT_EQ(issuers->front().audiences, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(issuers->front().user_name_claim, "email");
  EXPECT_EQ(issuers->front().default_role, Role::read);
  const auto older =
      parse_provider_params(R"({"allowedIssueURLs":"https://a,https://b","allowedAudiences":["x"],"staticKeyFile":"/k"})");
  ASSERT_TRUE(older) << older.error().message();
  EXPECT_EQ(older->size(), 2U);
  EXPECT_EQ(older->back().user_name_claim, "sub");
}

TEST(ProviderParams, that_would_let_in_too_many_or_nobody_are_refused) {
  const auto refused = [](const std::string& text) {
    const auto issuers = parse_provider_params(text);
    return issuers ? "accepted" : issuers.error().message();
  };
  EXPECT_NE(refused("").find("JSON object"), std::string::npos);
  EXPECT_NE(refused("{}").find("no issuer"), std::string::npos);
  EXPECT_NE(refused(R"({"issuers":{"https://a":{"staticKeyFile":"/k"}}})").find("needs allowedAudiences"), std::string::npos);
  EXPECT_NE(refused(R"({"issuers":{"https://a":{"allowedAudiences":"x"}}})").find("needs staticKeyFile"), std::string::npos);
  EXPECT_NE(refused(R"({"issuers":{"https://a":{"audience":"x"}}})").find("\"audience\" is not known"), std::string::npos);
}

}  // namespace
}  // namespace skerry::auth
