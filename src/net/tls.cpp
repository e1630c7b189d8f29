// SPDX-License-Identifier: Apache-2.0
#include "net/tls.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "net/tls_error.hpp"

namespace skerry::net {
namespace {

constexpr std::size_t file_bytes_max = 4 << 20;   // the system's whole list of CAs is a quarter of a MiB
constexpr long session_seconds_max = 3600;        // a resumed session is not asked for its certificate again
// HTTP/2 forbids everything older; all of them have forward secrecy and authenticate what they encrypt.
constexpr const char* default_ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

std::unexpected<Error> refuse(const std::string& file, std::string_view why) {
  return fail(Errc::invalid_argument, file + ": " + std::string(why));
}

Owned<BIO> reader(const std::string& text) {
  Owned<BIO> bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  SKERRY_ASSERT(bio != nullptr);
  return bio;
}

Result<std::vector<Owned<X509>>> read_certificates(const std::string& path) {
  TRY(const std::string text, read_small_file(path, file_bytes_max));
  const auto bio = reader(text);
  std::vector<Owned<X509>> found;
  ERR_clear_error();
  while (X509* certificate = PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr)) found.emplace_back(certificate);
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (!at_end) return refuse(path, "certificate " + std::to_string(found.size() + 1) + " is damaged: " + tls_error_text());
  ERR_clear_error();
  if (found.empty()) return refuse(path, "there is no certificate in it; expected PEM (-----BEGIN CERTIFICATE-----)");
  return found;
}

int refuse_passphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

Result<Owned<EVP_PKEY>> read_key(const std::string& path) {
  TRY(std::string text, read_small_file(path, file_bytes_max));
  bool encrypted = false;
  ERR_clear_error();
  Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(reader(text).get(), nullptr, refuse_passphrase, &encrypted));
  OPENSSL_cleanse(text.data(), text.size());
  if (key != nullptr) return key;
  const std::string why = tls_error_text();
  if (encrypted) return refuse(path, "the key asks for a passphrase; store it without one, readable by this user only");
  return refuse(path, "there is no usable private key in it: " + why + "; expected PEM (-----BEGIN PRIVATE KEY-----)");
}

std::string subject_of(const X509* certificate) {
  char text[512];
  X509_NAME_oneline(X509_get_subject_name(certificate), text, sizeof text);
  return text;
}

std::optional<std::int64_t> expiry_of(const X509* certificate) {
  std::tm when{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &when) != 1) return std::nullopt;
  return ::timegm(&when);
}

int number(TlsVersion version) { return version == TlsVersion::tls12 ? TLS1_2_VERSION : TLS1_3_VERSION; }

std::string alpn_on_wire(const std::vector<std::string>& protocols) {
  std::string wire;
  for (const std::string& each : protocols) wire.append(1, static_cast<char>(each.size())).append(each);
  return wire;
}

const unsigned char* raw(const std::string& text) { return reinterpret_cast<const unsigned char*>(text.data()); }

int choose_alpn(SSL*, const unsigned char** chosen, unsigned char* length, const unsigned char* offered, unsigned offered_length,
                void* ours) {
  const auto& wire = *static_cast<const std::string*>(ours);
  unsigned char* out = nullptr;
  const int outcome = SSL_select_next_proto(&out, length, raw(wire), static_cast<unsigned>(wire.size()), offered, offered_length);
  *chosen = out;
  return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// Certificates are judged by OpenSSL; the text of the judgement is taken from the connection afterwards.
int ask_and_judge(TlsRole role, const TlsOptions& options) {
  if (role == TlsRole::client) return options.verify_peer == VerifyPeer::yes ? SSL_VERIFY_PEER : SSL_VERIFY_NONE;
  if (options.client_auth == ClientAuth::require) return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  return options.trusted_ca_file.empty() ? SSL_VERIFY_NONE : SSL_VERIFY_PEER;
}

}  // namespace

Result<TlsVersion> parse_tls_version(std::string_view text) {
  if (text == "1.2" || text == "771") return TlsVersion::tls12;
  if (text == "1.3" || text == "772") return TlsVersion::tls13;
  return fail(Errc::invalid_argument, "TLS version " + printable(text) + " is not to be had; expected 1.2 or 1.3");
}

TlsContext::TlsContext(const TlsOptions& options, TlsRole role)
    : options_(options), role_(role), native_(SSL_CTX_new(role == TlsRole::server ? TLS_server_method() : TLS_client_method())),
      alpn_(alpn_on_wire(options.alpn)) {
  SKERRY_ASSERT(native_ != nullptr);
}

TlsContext::~TlsContext() { SSL_CTX_free(native_); }

Result<std::shared_ptr<const TlsContext>> TlsContext::load(const TlsOptions& options, TlsRole role) {
  std::shared_ptr<TlsContext> context(new TlsContext(options, role));
  TRYV(context->configure());
  return context;
}

Result<> TlsContext::configure() {
  if (options_.min_version > options_.max_version) {
    return fail(Errc::invalid_argument, "the lowest TLS version is above the highest");
  }
  SSL_CTX_set_min_proto_version(native_, number(options_.min_version));
  SSL_CTX_set_max_proto_version(native_, number(options_.max_version));
  SSL_CTX_set_options(native_, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(native_, SSL_MODE_RELEASE_BUFFERS);   // an idle connection holds no record buffers
  TRYV(take_ciphers());
  TRYV(take_certificate());
  TRYV(take_trusted());
  SSL_CTX_set_verify(native_, ask_and_judge(role_, options_), nullptr);
  SSL_CTX_set_timeout(native_, session_seconds_max);
  if (role_ == TlsRole::server) {
    // Sessions are resumed from tickets, which the client keeps: nothing is shared between cores but the key.
    SSL_CTX_set_session_cache_mode(native_, SSL_SESS_CACHE_OFF);
    constexpr std::array<unsigned char, 6> id = {'s', 'k', 'e', 'r', 'r', 'y'};
    SSL_CTX_set_session_id_context(native_, id.data(), id.size());
    if (!alpn_.empty()) SSL_CTX_set_alpn_select_cb(native_, choose_alpn, &alpn_);
  } else {
    SSL_CTX_set_session_cache_mode(native_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    if (!alpn_.empty()) SSL_CTX_set_alpn_protos(native_, raw(alpn_), static_cast<unsigned>(alpn_.size()));
  }
  return {};
}

Result<> TlsContext::take_certificate() {
  if (options_.cert_file.empty() != options_.key_file.empty()) {
    return fail(Errc::invalid_argument, options_.cert_file.empty() ? options_.key_file + ": a key file needs its certificate file"
                                                                   : options_.cert_file + ": a certificate needs its key file");
  }
  if (options_.cert_file.empty()) {
    if (role_ == TlsRole::client) return {};
    return fail(Errc::invalid_argument, "a server with TLS needs a certificate and its key: name both files");
  }
  TRY(const auto chain, read_certificates(options_.cert_file));
  TRY(const auto key, read_key(options_.key_file));
  ERR_clear_error();
  if (SSL_CTX_use_certificate(native_, chain.front().get()) != 1) return refuse(options_.cert_file, tls_error_text());
  for (std::size_t at = 1; at < chain.size(); ++at) {
    if (SSL_CTX_add1_chain_cert(native_, chain[at].get()) != 1) return refuse(options_.cert_file, tls_error_text());
  }
  if (SSL_CTX_use_PrivateKey(native_, key.get()) != 1 || SSL_CTX_check_private_key(native_) != 1) {
    ERR_clear_error();
    return refuse(options_.key_file, "this is not the key of the certificate in " + options_.cert_file);
  }
  subject_ = subject_of(chain.front().get());
  expires_ = expiry_of(chain.front().get());
  return {};
}

Result<> TlsContext::take_trusted() {
  if (options_.trusted_ca_file.empty()) {
    if (role_ == TlsRole::client) SSL_CTX_set_default_verify_paths(native_);
    if (options_.client_auth == ClientAuth::none) return {};
    return fail(Errc::invalid_argument, "client certificates are required, and no trusted CA file says whose count");
  }
  // A trusted certificate need not be a root: whoever names one CA of many means it.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(native_), X509_V_FLAG_PARTIAL_CHAIN);
  TRY(const auto trusted, read_certificates(options_.trusted_ca_file));
  X509_STORE* store = SSL_CTX_get_cert_store(native_);
  for (const auto& each : trusted) {
    if (X509_STORE_add_cert(store, each.get()) != 1) return refuse(options_.trusted_ca_file, tls_error_text());
    if (role_ == TlsRole::server) SSL_CTX_add_client_CA(native_, each.get());
  }
  return {};
}

// One list for both: the suites of TLS 1.3 are set apart from those before it.
Result<> TlsContext::take_ciphers() {
  if (options_.cipher_suites.empty()) {
    SKERRY_ASSERT(SSL_CTX_set_cipher_list(native_, default_ciphers) == 1);
    return {};
  }
  std::string before, since;
  std::string_view rest = options_.cipher_suites;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find_first_of(",: "), rest.size());
    const std::string name(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (name.empty()) continue;
    // Names of TLS 1.3 are the same for both; others say what the key exchange is and have "_WITH_" in IANA's form.
    const bool newest = name.starts_with("TLS_") && name.find("_WITH_") == std::string::npos;
    const char* known = name.starts_with("TLS_") && !newest ? OPENSSL_cipher_name(name.c_str()) : name.c_str();
    const bool usable =
        newest ? SSL_CTX_set_ciphersuites(native_, name.c_str()) == 1 : SSL_CTX_set_cipher_list(native_, known) == 1;
    if (!usable) {
      ERR_clear_error();
      return fail(Errc::invalid_argument, "cipher suite " + printable(name) + " is not to be had; `openssl ciphers` lists them");
    }
    std::string& list = newest ? since : before;
    list.append(list.empty() ? "" : ":").append(known);
  }
  if (!before.empty()) SSL_CTX_set_cipher_list(native_, before.c_str());
  if (before.empty()) SSL_CTX_set_cipher_list(native_, default_ciphers);
  if (!since.empty()) SSL_CTX_set_ciphersuites(native_, since.c_str());
  return {};
}

std::vector<FileStamp> TlsFiles::stamps() const {
  std::vector<FileStamp> found;
  for (const std::string* path : {&options_.cert_file, &options_.key_file, &options_.trusted_ca_file}) {
    if (!path->empty()) found.push_back(FileStamp::of(*path));
  }
  return found;
}

Result<std::unique_ptr<TlsFiles>> TlsFiles::open(TlsOptions options, TlsRole role) {
  std::unique_ptr<TlsFiles> files(new TlsFiles(std::move(options), role));
  files->seen_ = files->stamps();   // before reading: a change meanwhile is found by the next refresh()
  TRY(files->current_, TlsContext::load(files->options_, role));
  return files;
}

std::optional<Result<>> TlsFiles::refresh() {
  std::vector<FileStamp> now = stamps();
  if (now == seen_) return std::nullopt;
  seen_ = std::move(now);
  auto loaded = TlsContext::load(options_, role_);
  if (!loaded) {
    if (loaded.error() == Errc::io_failed) seen_.clear();   // what could not be read is tried again, changed or not
    return fail(std::move(loaded).error());
  }
  current_ = *std::move(loaded);
  return Result<>{};
}

}  // namespace skerry::net
