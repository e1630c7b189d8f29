// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace CLI {
class App;
}

namespace skerry::node {

// How to reach a server and who one is there: the same flags for every subcommand that connects to one.
struct ConnectionFlags {
  std::string address = "localhost:6648";
  std::string request_timeout = "30s";
  std::string auth_token;
  std::string auth_token_file;
};
// `address_names` are the flags of the address, as CLI11 takes them.
void add_connection_options(CLI::App& app, ConnectionFlags& flags, const char* address_names = "-a,--service-address");

// One or more addresses with commas between, each host:port. Fails with invalid_argument; a URL is told what to be instead.
Result<std::vector<std::string>> addresses_of(const ConnectionFlags& flags);
// "" when there is none. Fails with invalid_argument, or io_failed where the token's file can't be read.
Result<std::string> token_of(const ConnectionFlags& flags);
Result<Duration> request_timeout_of(const ConnectionFlags& flags);

// A whole file, or standard input for "-".
Result<std::string> read_all(const std::string& path);

}  // namespace skerry::node
