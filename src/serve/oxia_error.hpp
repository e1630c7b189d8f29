// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <system_error>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "rpc/status.hpp"

namespace skerry::serve {

// The reasons that Oxia's clients know, in their protocol's error table. Each has one gRPC code, one reason word and one text.
enum class OxiaError {
  aborted = 1,
  invalid_session_timeout,
  session_not_found,
  namespace_not_found,
  shard_not_found,
  invalid_term,
  invalid_status,
  notifications_not_enabled,
  resource_conflict,
  node_is_not_member,
  node_is_not_leader,
  not_initialized,
  resource_unavailable,
  unknown,
};
std::error_code make_error_code(OxiaError code);

// How a failure is told to Oxia's clients: with google.rpc.ErrorInfo of the domain oxia.io. A request that can never succeed
// (invalid_argument) and one too large (resource_exhausted) have no reason in their table: they are told by code and text.
rpc::Status oxia_status(const Error& error);
rpc::Status oxia_status(OxiaError code, std::string detail = {});
// node_is_not_leader with where to go instead.
rpc::Status leader_hint(ShardId shard, std::string leader);

}  // namespace skerry::serve

template <>
struct std::is_error_code_enum<skerry::serve::OxiaError> : std::true_type {};
