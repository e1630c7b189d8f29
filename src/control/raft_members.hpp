// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "control/raft_messages.hpp"
#include "net/stream.hpp"

namespace skerry::control {

// The coordinators that agree, as the configuration names them. All of them are given the same names; addresses may differ, since
// each may see another network. A value.
class RaftMembers {
 public:
  struct Entry {
    std::string name;
    net::Address address;
  };

  // "name=host:port" or "host:port", which is then its name too, separated by commas; 1, 3 or 5 of them, in any order. `self` is
  // one of the names. Fails with invalid_argument.
  static Result<RaftMembers> parse(std::string_view list, std::string_view self);

  RaftMember self() const { return self_; }
  std::uint32_t count() const { return static_cast<std::uint32_t>(entries_.size()); }
  const Entry& at(RaftMember member) const { return entries_[member.value()]; }
  std::optional<RaftMember> find(std::string_view name) const;
  std::string names() const;   // in order: the same for all

 private:
  std::vector<Entry> entries_;   // by name
  RaftMember self_{};
};

}   // namespace skerry::control
