// SPDX-License-Identifier: Apache-2.0
#include "auth/caller.hpp"

#include <algorithm>
#include <array>

namespace skerry::auth {
namespace {

constexpr std::array<std::string_view, 4> role_names = {"none", "read", "write", "admin"};

}  // namespace

std::string_view name(Role role) { return role_names[static_cast<std::size_t>(role)]; }

std::optional<Role> parse_role(std::string_view text) {
  const auto found = std::ranges::find(role_names, text);
  if (found == role_names.end()) return std::nullopt;
  return static_cast<Role>(found - role_names.begin());
}

Grants Grants::everywhere(Role role) {
  Grants grants;
  grants.give(std::string(every_namespace), role);
  return grants;
}

Role Grants::in(std::string_view name_space) const {
  auto found = roles_.find(name_space);
  if (found == roles_.end()) found = roles_.find(every_namespace);
  return found == roles_.end() ? Role::none : found->second;
}

Role Grants::highest() const {
  Role highest = Role::none;
  for (const auto& [name_space, role] : roles_) highest = std::max(highest, role);
  return highest;
}

}  // namespace skerry::auth
