// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace skerry::auth {

// What one may do in a namespace; each may also do what those before it may.
enum class Role : std::uint8_t { none, read, write, admin };
std::string_view name(Role role);   // "read"
std::optional<Role> parse_role(std::string_view text);

// Roles by namespace. "*" stands for all that are not named.
class Grants {
 public:
  static constexpr std::string_view every_namespace = "*";

  Grants() = default;
  static Grants everywhere(Role role);
  void give(std::string name_space, Role role) { roles_[std::move(name_space)] = role; }
  void raise(std::string name_space, Role role) {   // never below what was given
    Role& known = roles_.try_emplace(std::move(name_space), role).first->second;
    known = std::max(known, role);
  }
  Role in(std::string_view name_space) const;
  Role in_every() const { return in(every_namespace); }   // for what belongs to no namespace and concerns all
  Role highest() const;                                   // in any of them
  bool empty() const { return roles_.empty(); }
  friend bool operator==(const Grants&, const Grants&) = default;

 private:
  std::map<std::string, Role, std::less<>> roles_;
};

// Who calls, as far as that was proved.
struct Caller {
  std::string name;
  Grants grants;
  std::optional<WallTime> expires = {};   // when what proved it runs out
};

}  // namespace skerry::auth
