// SPDX-License-Identifier: Apache-2.0
#include "node/cli_connection.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/bytes.hpp"
#include "net/stream.hpp"
#include "net/tls_network.hpp"
#include "runtime/setting_value.hpp"

namespace skerry::node {
namespace {

Result<std::string> read_token(const std::string& path) {
  TRY(std::string token, read_all(path));
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' ')) token.pop_back();
  if (token.empty()) return fail(Errc::invalid_argument, fmt::format("{} holds no token", path));
  const auto unprintable = [](char c) { return c <= ' ' || c > '~'; };
  if (std::ranges::any_of(token, unprintable)) {
    return fail(Errc::invalid_argument,
                fmt::format("{} holds something that is no token: spaces or unprintable characters", path));
  }
  return token;
}

Result<> check_readable(const std::string& path) {
  TRY(std::FILE * file, open_named(path));
  std::fclose(file);
  return {};
}

// People try what they know from other tools.
Result<> refuse_url(const std::string& address) {
  const std::size_t scheme = address.find("://");
  if (scheme == std::string::npos || address.starts_with("tls://")) return {};
  std::string host = address.substr(scheme + 3);
  host.resize(std::min(host.find('/'), host.size()));
  return fail(Errc::invalid_argument, fmt::format("{} is a URL, and the store's port speaks gRPC: write host:port alone{}",
                                                  printable(address), host.empty() ? "" : ", as " + host));
}

}  // namespace

void add_connection_options(CLI::App& app, ConnectionFlags& flags, const char* address_names, const char* variable) {
  app.add_option(address_names, flags.address, "Address of any server; several with commas between")
      ->envname(variable)
      ->capture_default_str();
  app.add_option("--request-timeout", flags.request_timeout, "How long each request may take, retries included")
      ->capture_default_str();
  app.add_option("--auth-token,--token", flags.auth_token,
                 "Token that the server asks for. Others on this machine can see it: a file is better");
  app.add_option("--auth-token-file,--token-file", flags.auth_token_file,
                 "File that holds the token; without it, the one that SKERRY_CLIENT_TOKEN_FILE names");
  add_tls_options(app, flags);
}

void add_tls_options(CLI::App& app, ConnectionFlags& flags) {
  constexpr const char* group = "TLS";
  app.add_flag("--tls", flags.use_tls, "Connect with TLS; an address that begins with tls:// says so too")->group(group);
  app.add_option("--tls-trusted-ca-file", flags.tls_trusted_ca_file,
                 "Who signs the server's certificate (PEM); without it, whom this system trusts")
      ->group(group);
  app.add_option("--tls-cert-file", flags.tls_cert_file, "This client's own certificate (PEM), for servers that ask for one")
      ->group(group);
  app.add_option("--tls-key-file", flags.tls_key_file, "Its private key (PEM)")->group(group);
  app.add_option("--tls-server-name", flags.tls_server_name,
                 "Name that the server's certificate bears, where it is not the address")
      ->group(group);
  app.add_option("--tls-min-version", flags.tls_min_version, "The oldest TLS to speak: 1.2 or 1.3")
      ->group(group)
      ->capture_default_str();
  app.add_flag("--tls-insecure-skip-verify", flags.tls_insecure_skip_verify,
               "Believe any certificate: only for experiments, since anybody on the way can read and answer")
      ->group(group);
}

Result<std::optional<net::TlsOptions>> tls_of(const ConnectionFlags& flags) {
  const bool on = flags.use_tls || !flags.tls_trusted_ca_file.empty() || !flags.tls_cert_file.empty() ||
                  !flags.tls_key_file.empty() || !flags.tls_server_name.empty() || flags.tls_insecure_skip_verify;
  if (!on) return std::nullopt;
  for (const std::string& path : {flags.tls_trusted_ca_file, flags.tls_cert_file, flags.tls_key_file}) {
    if (!path.empty()) TRYV(check_readable(path));
  }
  net::TlsOptions tls;
  tls.trusted_ca_file = flags.tls_trusted_ca_file;
  tls.cert_file = flags.tls_cert_file;
  tls.key_file = flags.tls_key_file;
  tls.server_name = flags.tls_server_name;
  TRY(tls.min_version, net::parse_tls_version(flags.tls_min_version));
  tls.verify_peer = flags.tls_insecure_skip_verify ? net::VerifyPeer::no : net::VerifyPeer::yes;
  tls.alpn = {"h2"};
  return tls;
}

Result<std::unique_ptr<net::Network>> secure_network(Core& core, net::Network& plain, const std::optional<net::TlsOptions>& tls) {
  if (!tls) return nullptr;
  TRY(std::shared_ptr<net::TlsFiles> files, net::TlsFiles::open(*tls, net::TlsRole::client));
  return std::make_unique<net::TlsNetwork>(core, plain, net::TlsNetworkOptions{.contexts = net::reloading(std::move(files))});
}

Result<std::vector<std::string>> addresses_of(const ConnectionFlags& flags) {
  const std::string& text = flags.address;
  std::vector<std::string> addresses;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t comma = std::min(text.find(',', start), text.size());
    if (comma > start) addresses.push_back(text.substr(start, comma - start));
    start = comma + 1;
  }
  for (const std::string& address : addresses) TRYV(refuse_url(address));
  return addresses;
}

Result<std::string> token_of(const ConnectionFlags& flags) {
  if (flags.auth_token_file.empty()) {
    const char* const file = std::getenv("SKERRY_CLIENT_TOKEN_FILE");
    if (!flags.auth_token.empty() || file == nullptr || *file == '\0') return flags.auth_token;
    return read_token(file);
  }
  if (!flags.auth_token.empty()) {
    return fail(Errc::invalid_argument, "--auth-token and --auth-token-file exclude each other");
  }
  return read_token(flags.auth_token_file);
}

Result<Duration> request_timeout_of(const ConnectionFlags& flags) { return parse_duration(flags.request_timeout); }

Result<std::FILE*> open_named(const std::string& path) {
  if (path == "-") return stdin;
  const auto refuse = [&](const char* why) { return fail(Errc::invalid_argument, fmt::format("cannot read {}: {}", path, why)); };
  std::error_code none;
  if (std::filesystem::is_directory(path, none)) return refuse("it is a folder");
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) return refuse(std::strerror(errno));
  return file;
}

Result<std::string> read_all(const std::string& path) {
  TRY(std::FILE * file, open_named(path));
  std::string all;
  char buffer[64 << 10];
  for (std::size_t count = 0; (count = std::fread(buffer, 1, sizeof buffer, file)) > 0;) all.append(buffer, count);
  const bool bad = std::ferror(file) != 0;
  const int why = errno;
  if (file != stdin) std::fclose(file);
  if (!bad) return all;
  return fail(Errc::io_failed, fmt::format("cannot read {}: {}", path == "-" ? "standard input" : path, std::strerror(why)));
}

}  // namespace skerry::node
