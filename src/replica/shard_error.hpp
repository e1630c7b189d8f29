// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <system_error>

namespace skerry::replica {

// Failures of a shard that a service answers in different ways. Everything else is an Errc.
enum class ShardError {
  not_serving = 1,          // opening or stopping; nothing was applied
  not_leader,               // another node leads the shard, or nobody does; nothing was applied
  log_stopped,              // the node's log takes no more writes; nothing was applied
  clock_jumped,             // the wall clock is too far ahead of what it was; nothing was applied
  outcome_unknown,          // logged, but it could not be learnt whether durably
  session_not_found,
  invalid_session_timeout,
  notifications_disabled,
};
std::error_code make_error_code(ShardError code);

}  // namespace skerry::replica

template <>
struct std::is_error_code_enum<skerry::replica::ShardError> : std::true_type {};
