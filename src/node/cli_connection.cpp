// SPDX-License-Identifier: Apache-2.0
#include "node/cli_connection.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/bytes.hpp"
#include "net/stream.hpp"
#include "runtime/setting_value.hpp"

namespace skerry::node {
namespace {

Result<std::string> read_token(const std::string& path) {
  TRY(std::string token, read_all(path));
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' ')) token.pop_back();
  if (token.empty()) return fail(Errc::invalid_argument, fmt::format("{} holds no token", path));
  return token;
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

void add_connection_options(CLI::App& app, ConnectionFlags& flags, const char* address_names) {
  app.add_option(address_names, flags.address, "Address of any server; several with commas between")->capture_default_str();
  app.add_option("--request-timeout", flags.request_timeout, "How long each request may take, retries included")
      ->capture_default_str();
  app.add_option("--auth-token", flags.auth_token, "Token that the server asks for");
  app.add_option("--auth-token-file", flags.auth_token_file, "File that holds the token");
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
  if (flags.auth_token_file.empty()) return flags.auth_token;
  if (!flags.auth_token.empty()) {
    return fail(Errc::invalid_argument, "--auth-token and --auth-token-file exclude each other");
  }
  return read_token(flags.auth_token_file);
}

Result<Duration> request_timeout_of(const ConnectionFlags& flags) { return parse_duration(flags.request_timeout); }

Result<std::string> read_all(const std::string& path) {
  const bool standard = path == "-";
  const auto failed = [&] {
    return fail(Errc::io_failed, fmt::format("cannot read {}: {}", standard ? "standard input" : path, std::strerror(errno)));
  };
  if (!standard && std::filesystem::is_directory(path))
    return fail(Errc::io_failed, fmt::format("cannot read {}: it is a folder", path));
  std::FILE* file = standard ? stdin : std::fopen(path.c_str(), "rb");
  if (file == nullptr) return failed();
  std::string all;
  char buffer[64 << 10];
  for (std::size_t count = 0; (count = std::fread(buffer, 1, sizeof buffer, file)) > 0;) all.append(buffer, count);
  const bool bad = std::ferror(file) != 0;
  if (!standard) std::fclose(file);
  if (bad) return failed();
  return all;
}

}  // namespace skerry::node
