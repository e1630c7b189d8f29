// SPDX-License-Identifier: Apache-2.0
#include <fmt/ranges.h>

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include "auth/authenticator.hpp"

namespace skerry::auth {
namespace {

namespace json = boost::json;

constexpr std::array known_fields = {"allowedAudiences", "userNameClaim", "staticKeyFile", "rolesClaim", "defaultRole"};

std::unexpected<Error> wrong(const std::string& what) {
  return fail(Errc::invalid_argument, "the authentication provider's parameters: " + what);
}

void add_listed(std::string_view text, std::vector<std::string>& list) {   // "a, b"
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::string_view one = text.substr(0, comma);
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    if (!one.empty()) list.emplace_back(one);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
}

// One text with commas, or a list.
Result<std::vector<std::string>> list_of(const json::object& object, std::string_view field) {
  std::vector<std::string> list;
  const json::value* found = object.if_contains(field);
  if (found == nullptr) return list;
  if (found->is_string()) {
    add_listed(found->get_string(), list);
    return list;
  }
  if (!found->is_array()) return wrong(fmt::format("{}: expected a text or a list", field));
  for (const json::value& each : found->get_array()) {
    if (!each.is_string()) return wrong(fmt::format("{}: expected texts", field));
    list.emplace_back(each.get_string());
  }
  return list;
}

Result<std::string> param_text(const json::object& object, std::string_view field) {
  const json::value* found = object.if_contains(field);
  if (found == nullptr) return std::string();
  if (!found->is_string()) return wrong(fmt::format("{}: expected a text", field));
  return std::string(found->get_string());
}

Result<IssuerOptions> issuer_of(const std::string& url, const json::object& object) {
  IssuerOptions issuer{.url = url, .audiences = {}, .key_file = {}};
  TRY(issuer.audiences, list_of(object, "allowedAudiences"));
  TRY(const std::string name_claim, param_text(object, "userNameClaim"));
  if (!name_claim.empty()) issuer.user_name_claim = name_claim;
  TRY(issuer.roles_claim, param_text(object, "rolesClaim"));
  TRY(issuer.key_file, param_text(object, "staticKeyFile"));
  TRY(const std::string role, param_text(object, "defaultRole"));
  issuer.default_role = parse_role(role);
  if (!role.empty() && !issuer.default_role) return wrong("defaultRole: expected none, read, write or admin");
  if (issuer.audiences.empty()) {
    return wrong(fmt::format("issuer {} needs allowedAudiences: without them a token for any other service would do", url));
  }
  if (issuer.key_file.empty()) {
    return wrong(
        fmt::format("issuer {} needs staticKeyFile: keys are not fetched from the network here; save the issuer's "
                    "jwks_uri to a file, which is read again whenever it changes",
                    url));
  }
  return issuer;
}

Result<> check_fields(const json::object& object, std::string_view also) {
  for (const auto& field : object) {
    const std::string_view name = field.key();
    if (std::ranges::find(known_fields, name) == known_fields.end() && name != also) {
      return wrong(fmt::format("{} is not known; expected {}", printable(name), fmt::join(known_fields, ", ")));
    }
  }
  return {};
}

}  // namespace

Result<std::vector<IssuerOptions>> parse_provider_params(const std::string& text) {
  boost::system::error_code error;
  const json::value document = json::parse(text, error);
  const json::object* object = error ? nullptr : document.if_object();
  if (object == nullptr) return wrong("expected a JSON object, such as {\"issuers\": {\"https://issuer\": {…}}}");
  std::vector<IssuerOptions> issuers;
  if (const json::value* listed = object->if_contains("issuers")) {
    if (!listed->is_object()) return wrong("issuers: expected an object of URLs");
    for (const auto& each : listed->get_object()) {
      const std::string url(each.key());
      if (!each.value().is_object()) return wrong(fmt::format("issuer {}: expected an object", url));
      TRYV(check_fields(each.value().get_object(), {}));
      TRY(IssuerOptions issuer, issuer_of(url, each.value().get_object()));
      issuers.push_back(std::move(issuer));
    }
  } else {   // the older form: the same for all of them
    TRYV(check_fields(*object, "allowedIssueURLs"));
    TRY(const auto urls, list_of(*object, "allowedIssueURLs"));
    for (const std::string& url : urls) {
      TRY(IssuerOptions issuer, issuer_of(url, *object));
      issuers.push_back(std::move(issuer));
    }
  }
  if (issuers.empty()) return wrong("there is no issuer in them");
  return issuers;
}

}  // namespace skerry::auth
