// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "net/stream.hpp"
#include "net/tls.hpp"

namespace CLI {
class App;
}

namespace skerry {
class Core;
}

namespace skerry::node {

// How to reach a server and who one is there: the same flags for every subcommand that connects to one.
struct ConnectionFlags {
  std::string address = "localhost:6648";
  std::string request_timeout = "30s";
  std::string auth_token;
  std::string auth_token_file;
  bool use_tls = false;   // also on when another of these is given, or an address begins with tls://
  std::string tls_trusted_ca_file, tls_cert_file, tls_key_file, tls_server_name, tls_min_version = "1.2";
  bool tls_insecure_skip_verify = false;
};
// `address_names` are the flags of the address, as CLI11 takes them, `variable` holds it where they are not given.
void add_connection_options(CLI::App& app, ConnectionFlags& flags, const char* address_names = "-a,--service-address",
                            const char* variable = "SKERRY_CLIENT_ADDRESS");

// One or more addresses with commas between, each host:port or tls://host:port. Fails with invalid_argument; a URL is told what
// to be instead.
Result<std::vector<std::string>> addresses_of(const ConnectionFlags& flags);
// "" when there is none: neither a flag nor SKERRY_CLIENT_TOKEN_FILE. Fails with invalid_argument.
Result<std::string> token_of(const ConnectionFlags& flags);
// Nothing: without TLS, as far as the flags say; the addresses may say otherwise (client::settle_tls). Fails with
// invalid_argument, also where one of the files can't be read.
Result<std::optional<net::TlsOptions>> tls_of(const ConnectionFlags& flags);
// For who speaks to servers without the client library: the network to connect with, over `plain`; null: `plain` itself.
Result<std::unique_ptr<net::Network>> secure_network(Core& core, net::Network& plain, const std::optional<net::TlsOptions>& tls);
// The flags of TLS alone; add_connection_options() has them.
void add_tls_options(CLI::App& app, ConnectionFlags& flags);
Result<Duration> request_timeout_of(const ConnectionFlags& flags);

// To read, a file that the command line names, or standard input for "-". Fails with invalid_argument.
Result<std::FILE*> open_named(const std::string& path);
// All of it.
Result<std::string> read_all(const std::string& path);

}   // namespace skerry::node
