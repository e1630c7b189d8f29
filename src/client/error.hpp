// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "rpc/status.hpp"

namespace skerry::client {

// What callers of the client tell apart, beside the Errc that any room may return.
enum class ClientErrc {
  key_not_found = 1,
  unexpected_version_id,      // the record is of another version, exists when it must not, or is missing
  session_expired,            // nothing was written; the session's ephemeral records are gone
  outcome_unknown,            // the write may or may not have taken effect: read before repeating it
  namespace_not_found,
  notifications_disabled,     // on this namespace
  not_authorized,
  shard_moved,                // inside the library only: route again
};
std::error_code make_error_code(ClientErrc code);

// What an answer that is an error means for whoever sent the request.
struct Verdict {
  enum class Action : std::uint8_t {
    retry,      // the same shard, perhaps at another address
    reroute,    // the shard is no more: its keys belong to another
    give_up,
  };
  Action action = Action::give_up;
  bool maybe_applied = false;               // a write that was sent may have taken effect
  std::optional<ShardId> shard;             // the leader hint, whole or not at all
  std::string leader;
  Error error;
};

// Reads gRPC status and the error details of Oxia's protocol, those with the numeric codes of its versions before 0.17 too.
Verdict judge(const rpc::Status& status);
Verdict judge(const Error& error);          // of a call that could not be made or broke

}  // namespace skerry::client

template <>
struct std::is_error_code_enum<skerry::client::ClientErrc> : std::true_type {};
