// SPDX-License-Identifier: Apache-2.0
#include "control/raft_members.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::control {
namespace {

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

Result<> check_name(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || std::string_view("-._:[]").find(c) < 6;
  };
  if (!name.empty() && name.size() <= 256 && std::ranges::all_of(name, plain)) return {};
  return fail(Errc::invalid_argument,
              fmt::format("\"{}\" is no name for a coordinator: use letters, digits, '-', '.' and '_'", name));
}

Result<RaftMembers::Entry> parse_entry(std::string_view text) {
  const std::size_t equals = text.find('=');
  const std::string_view name = trimmed(text.substr(0, equals));
  const std::string_view address = equals == std::string_view::npos ? name : trimmed(text.substr(equals + 1));
  TRYV(check_name(name));
  auto parsed = net::Address::parse(address);
  if (!parsed) return fail(Errc::invalid_argument, fmt::format("coordinator \"{}\": {}", name, parsed.error().message()));
  return RaftMembers::Entry{std::string(name), *std::move(parsed)};
}

}  // namespace

Result<RaftMembers> RaftMembers::parse(std::string_view list, std::string_view self) {
  RaftMembers members;
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    TRY(Entry entry, parse_entry(trimmed(list.substr(at, end - at))));
    members.entries_.push_back(std::move(entry));
    at = end + 1;
  }
  std::ranges::sort(members.entries_, {}, &Entry::name);
  if (const auto twice = std::ranges::adjacent_find(members.entries_, {}, &Entry::name); twice != members.entries_.end()) {
    return fail(Errc::invalid_argument, fmt::format("coordinator \"{}\" is named twice in \"{}\"", twice->name, list));
  }
  if (members.count() != 1 && members.count() != 3 && members.count() != 5) {
    return fail(Errc::invalid_argument,
                fmt::format("{} coordinators are named in \"{}\": name 1, 3 or 5, so that a majority is left when some fail",
                            members.count(), list));
  }
  const auto found = members.find(self);
  if (!found) {
    return fail(
        Errc::invalid_argument,
        fmt::format("this coordinator, \"{}\", is not among those named in \"{}\": add it, or start it under one of these names",
                    self, list));
  }
  members.self_ = *found;
  return members;
}

std::optional<RaftMember> RaftMembers::find(std::string_view name) const {
  const auto found = std::ranges::find(entries_, name, &Entry::name);
  if (found == entries_.end()) return std::nullopt;
  return RaftMember(static_cast<std::uint32_t>(found - entries_.begin()));
}

std::string RaftMembers::names() const {
  std::string out;
  for (const Entry& entry : entries_) out += (out.empty() ? "" : ",") + entry.name;
  return out;
}

}  // namespace skerry::control
