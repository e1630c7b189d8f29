// SPDX-License-Identifier: Apache-2.0
#include "serve/access.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace skerry::serve {
namespace {

using auth::Role;

constexpr Access open_access{Role::none, AccessScope::open};
constexpr Access reading{Role::read, AccessScope::one}, writing{Role::write, AccessScope::one};
constexpr Access looking_around{Role::read, AccessScope::anywhere};
constexpr Access ruling{Role::admin, AccessScope::everywhere};

struct Entry {
  std::string_view service, method;   // "*": all of them
  Access access;
};

constexpr std::array services_of_oxia = {std::string_view("io.oxia.proto.v1.OxiaClient"),
                                         std::string_view("io.streamnative.oxia.proto.OxiaClient")};

constexpr std::array store_methods = {
    Entry{"", "GetShardAssignments", reading},
    Entry{"", "Read", reading},
    Entry{"", "List", reading},
    Entry{"", "RangeScan", reading},
    Entry{"", "GetSequenceUpdates", reading},
    Entry{"", "GetNotifications", reading},
    Entry{"", "Write", writing},
    Entry{"", "WriteStream", writing},
    Entry{"", "Batch", writing},   // of ours
    Entry{"", "CreateSession", writing},
    Entry{"", "KeepAlive", writing},
    Entry{"", "CloseSession", writing},
};

constexpr std::array other_methods = {
    Entry{"grpc.health.v1.Health", "*", open_access},
    Entry{"grpc.reflection.v1.ServerReflection", "*", looking_around},
    Entry{"grpc.reflection.v1alpha.ServerReflection", "*", looking_around},
    Entry{"io.oxia.proto.v1.OxiaAdmin", "*", ruling},
    Entry{"skerry.control.v1.Admin", "*", ruling},
};

template <std::size_t count>
std::optional<Access> find(const std::array<Entry, count>& entries, std::string_view service, std::string_view method) {
  const auto found = std::ranges::find_if(
      entries, [&](const Entry& each) { return each.service == service && (each.method == "*" || each.method == method); });
  return found == entries.end() ? std::nullopt : std::optional(found->access);
}

rpc::Status denied(const auth::Caller& caller, std::string_view method, Role needed, const std::string& where, Role held) {
  return {rpc::Code::permission_denied,
          fmt::format("{} has the role {} {}, and {} asks for {}: ask an administrator of this store for it",
                      printable(caller.name), auth::name(held), where, method.substr(method.rfind('/') + 1), auth::name(needed)),
          {}};
}

}  // namespace

Access access_to(std::string_view method) {
  const std::size_t slash = method.rfind('/');
  if (slash == std::string_view::npos || slash == 0) return ruling;
  const std::string_view service = method.substr(1, slash - 1), name = method.substr(slash + 1);
  const bool store = std::ranges::find(services_of_oxia, service) != services_of_oxia.end() || service == "skerry.store.v1.Store";
  const auto found = store ? find(store_methods, "", name) : find(other_methods, service, name);
  return found.value_or(ruling);
}

std::optional<rpc::Status> refuse_access(const auth::Caller& caller, std::string_view method) {
  const Access needed = access_to(method);
  if (needed.scope == AccessScope::open) return std::nullopt;
  const bool everywhere = needed.scope == AccessScope::everywhere;
  const Role held = everywhere ? caller.grants.in_every() : caller.grants.highest();
  if (held >= needed.role) return std::nullopt;
  return denied(caller, method, needed.role, everywhere ? "in \"*\"" : "at most", held);
}

std::optional<rpc::Status> refuse_access(const rpc::ServerCall& call, std::string_view name_space) {
  const auth::Caller* caller = call.caller();
  if (caller == nullptr) return std::nullopt;
  const Access needed = access_to(call.method());
  const Role held = caller->grants.in(name_space);
  if (held >= needed.role) return std::nullopt;
  return denied(*caller, call.method(), needed.role, fmt::format("in namespace {}", printable(name_space)), held);
}

}  // namespace skerry::serve
