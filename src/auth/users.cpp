// SPDX-License-Identifier: Apache-2.0
#include "auth/users.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "auth/secrets.hpp"

namespace skerry::auth {
namespace {

constexpr std::size_t users_max = 100'000;
constexpr std::size_t digest_bytes = 32;

}  // namespace

// Reads the document; every mistake names its line.
class UsersFile {
 public:
  explicit UsersFile(std::string name) : name_(std::move(name)) {}

  Result<Users> read(const std::string& text) {
    try {
      const YAML::Node document = YAML::Load(text);
      if (!document.IsMap() || !document["users"] || document.size() != 1) {
        return wrong(document, "expected one list named users");
      }
      const YAML::Node list = document["users"];
      if (!list.IsSequence() && !list.IsNull()) return wrong(list, "users: expected a list");
      if (list.size() > users_max) return wrong(list, fmt::format("users: {} is the limit", users_max));
      for (const YAML::Node& each : list) TRYV(take_user(each));
      return std::move(users_);
    } catch (const YAML::Exception& error) {
      return fail(Errc::invalid_argument, fmt::format("{}:{}: not valid YAML: {}", name_, error.mark.line + 1, error.msg));
    }
  }

 private:
  std::unexpected<Error> wrong(const YAML::Node& where, const std::string& what) const {
    const int line = where.Mark().line + 1;
    return fail(Errc::invalid_argument,
                line > 0 ? fmt::format("{}:{}: {}", name_, line, what) : fmt::format("{}: {}", name_, what));
  }

  Result<> take_user(const YAML::Node& entry) {
    if (!entry.IsMap()) return wrong(entry, "expected a user: name, roles, and token-sha256 or certificate");
    if (!entry["name"] || !entry["name"].IsScalar() || entry["name"].Scalar().empty()) return wrong(entry, "a user needs a name");
    const std::string name = entry["name"].Scalar();
    Users::User user{name, {}};
    for (const auto& field : entry) {
      const std::string key = field.first.IsScalar() ? field.first.Scalar() : std::string();
      const YAML::Node& value = field.second;
      if (key == "name") continue;
      if (key == "roles") {
        TRYV(take_roles(value, user.grants));
      } else if (key == "token-sha256" || key == "certificate") {
        if (!value.IsScalar() && !value.IsSequence()) return wrong(value, key + ": expected one value or a list");
        const bool digest = key == "token-sha256";
        if (value.IsScalar()) TRYV(digest ? take_digest(value, name) : take_certificate(value, name));
        for (const YAML::Node& each : value) TRYV(digest ? take_digest(each, name) : take_certificate(each, name));
      } else {
        return wrong(field.first,
                     printable(key) + " is nothing that a user has; expected name, token-sha256, certificate, roles");
      }
    }
    if (!users_.by_name_.emplace(name, std::move(user)).second)
      return wrong(entry, "user " + printable(name) + " is given twice");
    return {};
  }

  Result<> take_roles(const YAML::Node& roles, Grants& grants) {
    if (!roles.IsMap()) return wrong(roles, "roles: expected namespaces and roles, such as {default: write, \"*\": read}");
    for (const auto& each : roles) {
      const auto role = each.second.IsScalar() ? parse_role(each.second.Scalar()) : std::nullopt;
      if (!role || !each.first.IsScalar()) return wrong(each.first, "expected a role: none, read, write or admin");
      grants.give(each.first.Scalar(), *role);
    }
    return {};
  }

  // The value is not repeated in a message: it may be the token itself, by mistake.
  Result<> take_digest(const YAML::Node& value, const std::string& user) {
    const auto digest = value.IsScalar() ? from_hex(value.Scalar()) : std::nullopt;
    if (!digest || digest->size() != digest_bytes) {
      return wrong(value, "token-sha256: expected 64 hex digits, the SHA-256 of the token (`skerry token` makes both)");
    }
    if (!users_.by_digest_.emplace(*digest, user).second) return wrong(value, "this token is given twice");
    return {};
  }

  Result<> take_certificate(const YAML::Node& value, const std::string& user) {
    if (!value.IsScalar() || value.Scalar().empty()) return wrong(value, "certificate: expected a name in a client certificate");
    if (!users_.by_certificate_.emplace(value.Scalar(), user).second) return wrong(value, "this certificate is given twice");
    return {};
  }

  const std::string name_;
  Users users_;
};

Result<Users> Users::parse(const std::string& text, const std::string& name) { return UsersFile(name).read(text); }

const Users::User* Users::named(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &found->second;
}

const Users::User* Users::vouched_for(std::string_view name) const {
  const auto his = [name](const auto& credential) { return credential.second == name; };
  if (std::ranges::any_of(by_digest_, his) || std::ranges::any_of(by_certificate_, his)) return nullptr;
  return named(name);
}

// What the time of the search could show is a prefix of the digest, which leads to no token. The last word has a comparison that
// shows nothing.
const Users::User* Users::with_token(BytesView token) const {
  const Bytes digest = sha256(token);
  const auto found = by_digest_.find(digest);
  if (found == by_digest_.end() || !equal_secrets(found->first, digest)) return nullptr;
  return named(found->second);
}

const Users::User* Users::with_certificate(std::span<const std::string> names) const {
  for (const std::string& each : names) {
    if (const auto found = by_certificate_.find(each); found != by_certificate_.end()) return named(found->second);
  }
  return nullptr;
}

}  // namespace skerry::auth
