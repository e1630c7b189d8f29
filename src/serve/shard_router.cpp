// SPDX-License-Identifier: Apache-2.0
#include "serve/shard_router.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "serve/access.hpp"

namespace skerry::serve {
namespace {

// The header that says which shard a write stream is for: a decimal number.
Result<ShardId> parse_shard_header(std::optional<std::string_view> header) {
  if (!header) return fail(Errc::invalid_argument, "a write stream needs the header 'shard-id'");
  std::int64_t number = 0;
  const char* const end = header->data() + header->size();
  const auto [stopped, error] = std::from_chars(header->data(), end, number);
  if (error != std::errc() || stopped != end) {
    return fail(Errc::invalid_argument, fmt::format("the header 'shard-id' is {}, not a number", printable(*header)));
  }
  return ShardId(number);
}

}  // namespace

std::optional<rpc::Status> ShardRouter::refuse_authority(std::string_view authority) const {
  if (check_ == AuthorityCheck::off) return std::nullopt;
  const auto parsed = net::Address::parse(authority);
  if (!parsed || parsed->host.empty() || parsed->port == 0) {
    return rpc::Status{rpc::Code::invalid_argument, fmt::format("the authority {} is not host:port", printable(authority)), {}};
  }
  const auto& known = directory_.assignments();
  if (!known) return oxia_status(OxiaError::not_initialized);
  if (std::ranges::find(known->allowed_authorities, authority) != known->allowed_authorities.end()) return std::nullopt;
  return rpc::Status{
      rpc::Code::permission_denied,
      fmt::format("the authority {} is no address of this cluster; add it to allowExtraAuthorities if it should be",
                  printable(authority)),
      {}};
}

std::expected<ShardRouter::Place, rpc::Status> ShardRouter::route(const rpc::ServerCall& call,
                                                                  std::optional<ShardId> shard) const {
  if (auto refused = refuse_authority(call.authority())) return std::unexpected(*std::move(refused));
  if (!shard) return std::unexpected(rpc::Status{rpc::Code::invalid_argument, "the request names no shard", {}});
  if (!directory_.assignments()) return std::unexpected(oxia_status(OxiaError::not_initialized));
  const ShardPlace* place = directory_.find(*shard);
  if (place == nullptr) return std::unexpected(oxia_status(OxiaError::shard_not_found));
  if (auto refused = refuse_access(call, directory_.namespace_of(*shard))) return std::unexpected(*std::move(refused));
  if (place->core) return Place{*place->core, *shard};
  // A leader may know of itself before it is told so.
  if (const replica::Shard* here = hosts_.local(core_.id()).find(*shard); here != nullptr && here->serves()) {
    return Place{core_.id(), *shard};
  }
  return std::unexpected(leader_hint(*shard, place->leader.value_or("")));
}

std::optional<rpc::Status> ShardRouter::refuse(const rpc::ServerCall& call, ShardId shard) const {
  auto place = route(call, shard);
  return place ? std::nullopt : std::optional(std::move(place).error());
}

std::optional<replica::ShardUse> ShardRouter::here(const rpc::ServerCall& call, ShardId shard) const {
  if (check_ != AuthorityCheck::off && refuse_authority(call.authority())) return std::nullopt;
  const ShardPlace* place = directory_.assignments() ? directory_.find(shard) : nullptr;
  if (place == nullptr || place->core != core_.id()) return std::nullopt;
  if (refuse_access(call, directory_.namespace_of(shard))) return std::nullopt;
  auto open = open_shard(hosts_.local(core_.id()), shard);
  return open ? std::optional(*std::move(open)) : std::nullopt;
}

std::optional<ShardId> ShardRouter::shard_of_stream(rpc::ServerCall& call) {
  const auto shard = parse_shard_header(call.metadata().find("shard-id"));
  return shard ? std::optional(*shard) : std::nullopt;
}

std::expected<ShardRouter::Place, rpc::Status> ShardRouter::route_stream(rpc::ServerCall& call) const {
  if (auto refused = refuse_authority(call.authority())) return std::unexpected(*std::move(refused));
  if (!call.metadata().find("namespace")) {
    return std::unexpected(rpc::Status{rpc::Code::unknown, "a write stream needs the header 'namespace'", {}});
  }
  const auto shard = parse_shard_header(call.metadata().find("shard-id"));
  if (!shard) return std::unexpected(rpc::Status{rpc::Code::unknown, shard.error().text, {}});
  return route(call, *shard);
}

}  // namespace skerry::serve
