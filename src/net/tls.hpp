// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "net/file_stamp.hpp"

struct ssl_ctx_st;

namespace skerry::net {

enum class TlsVersion : std::uint8_t { tls12, tls13 };   // older ones are not to be had
// "1.2", "1.3", or the number on the wire (771, 772) as Oxia's configuration has it.
Result<TlsVersion> parse_tls_version(std::string_view text);

enum class TlsRole : std::uint8_t { client, server };
// Whether a client must show a certificate. `none` asks for one all the same where trusted_ca_file says which count, and then a
// certificate that is shown must be good.
enum class ClientAuth : std::uint8_t { none, require };
enum class VerifyPeer : std::uint8_t { yes, no };

struct TlsOptions {
  std::string cert_file = {};         // PEM: the certificate, then those between it and its CA. A server needs one
  std::string key_file = {};          // PEM, its private key, without a passphrase
  std::string trusted_ca_file = {};   // PEM: who signs the other side's certificates; "" on clients: the system's roots
  std::string cipher_suites = {};   // IANA's or OpenSSL's names with commas or colons between; "": those with forward secrecy
  TlsVersion min_version = TlsVersion::tls12;
  TlsVersion max_version = TlsVersion::tls13;
  ClientAuth client_auth = ClientAuth::none;   // of servers
  VerifyPeer verify_peer = VerifyPeer::yes;   // of clients; `no` only for experiments
  std::string server_name = {};   // of clients: the name that the server's certificate must bear; "": the host connected to
  std::vector<std::string> alpn = {};   // protocols, the preferred first; both sides must have one in common
};

// What connections are made from: certificate, key, CAs and parameters, read from their files at one moment. Immutable, and
// shared by all cores: a session that one core began may be resumed on another. A new one has new ticket keys, so nothing that
// the old files allowed is resumed under the new ones.
class TlsContext {
 public:
  // Reads files. The text of a failure names the file and what is wrong with it.
  static Result<std::shared_ptr<const TlsContext>> load(const TlsOptions& options, TlsRole role);
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  ~TlsContext();

  TlsRole role() const { return role_; }
  const TlsOptions& options() const { return options_; }
  const std::string& subject() const { return subject_; }   // of its certificate, for people; "" without one
  std::optional<std::int64_t> expires() const { return expires_; }   // of its certificate, in seconds since the epoch
  ssl_ctx_st* native() const { return native_; }

 private:
  TlsContext(const TlsOptions& options, TlsRole role);
  Result<> configure();
  Result<> take_certificate();
  Result<> take_trusted();
  Result<> take_ciphers();

  const TlsOptions options_;
  const TlsRole role_;
  ssl_ctx_st* native_;
  std::string alpn_;   // as on the wire
  std::string subject_;
  std::optional<std::int64_t> expires_;
};

using TlsContexts = std::function<std::shared_ptr<const TlsContext>()>;   // asked for each new connection

// The files behind a context, read again when they change. What cannot be used is told once and the context before it stays.
// One thread's; touches the file system.
class TlsFiles {
 public:
  static Result<std::unique_ptr<TlsFiles>> open(TlsOptions options, TlsRole role);
  const std::shared_ptr<const TlsContext>& current() const { return current_; }
  // Looks at the files. Nothing: they are as they were. Success: current() is new. A failure: they are unusable, and why.
  std::optional<Result<>> refresh();

 private:
  TlsFiles(TlsOptions options, TlsRole role) : options_(std::move(options)), role_(role) {}
  std::vector<FileStamp> stamps() const;

  const TlsOptions options_;
  const TlsRole role_;
  std::shared_ptr<const TlsContext> current_;
  std::vector<FileStamp> seen_;   // of the last attempt, whatever came of it
};

}   // namespace skerry::net
