// SPDX-License-Identifier: Apache-2.0
#include "node/cli_token.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "auth/caller.hpp"
#include "auth/secrets.hpp"
#include "auth/users.hpp"

namespace skerry::node {
namespace {

constexpr std::size_t token_bytes = 32;   // nobody guesses 256 bits

struct TokenFlags {
  std::string name = "somebody";
  std::vector<std::string> roles;
};

std::string yaml_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\x{:02x}", c);
    } else {
      out += c;
    }
  }
  return out + '"';
}

Result<std::string> entry_for(const TokenFlags& flags, const std::string& token) {
  std::string roles;
  for (const std::string& text : flags.roles) {
    const std::size_t equals = text.rfind('=');
    const auto role = auth::parse_role(equals == std::string::npos ? text : text.substr(equals + 1));
    if (!role) return fail(Errc::invalid_argument, fmt::format("--role {}: expected NAMESPACE=none|read|write|admin", text));
    const std::string_view name_space = equals == std::string::npos ? "*" : std::string_view(text).substr(0, equals);
    roles += fmt::format("{}{}: {}", roles.empty() ? "" : ", ", yaml_text(name_space), auth::name(*role));
  }
  std::string entry = fmt::format("users:\n  - name: {}\n    token-sha256: {}\n    roles: {{{}}}\n", yaml_text(flags.name),
                                  auth::to_hex(auth::sha256(token)), roles);
  TRYV(auth::Users::parse(entry, "the entry"));   // what is printed can be used
  return entry;
}

int run(const TokenFlags& flags) {
  const std::string token = auth::to_base64url(auth::random_secret(token_bytes));
  const auto entry = entry_for(flags, token);
  if (!entry) return report(entry.error());
  fmt::print("{}\n", token);
  fmt::print(stderr, "# For the users file (--auth-users-file), which keeps the token's hash alone:\n{}", *entry);
  return exit_ok;
}

}  // namespace

void add_token_command(CLI::App& app, Command& chosen) {
  CLI::App& command = *app.add_subcommand("token", "Make a token for a new user of a store");
  command.description(
      "Print a new random token on standard output, and on standard error the entry of the users file for its holder.\n"
      "Example: skerry token --name billing --role default=write > billing.token");
  const auto flags = std::make_shared<TokenFlags>();
  command.add_option("--name", flags->name, "Who it is for")->capture_default_str();
  command
      .add_option("--role", flags->roles,
                  "What they may do, NAMESPACE=none|read|write|admin, or a role alone for every namespace; may be repeated")
      ->allow_extra_args(false);
  command.callback([&chosen, flags] { chosen = [flags] { return run(*flags); }; });
}

}  // namespace skerry::node
