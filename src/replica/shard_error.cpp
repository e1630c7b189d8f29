// SPDX-License-Identifier: Apache-2.0
#include "replica/shard_error.hpp"

#include <string>

namespace skerry::replica {
namespace {

class Category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "skerry.shard"; }
  std::string message(int code) const override {
    switch (static_cast<ShardError>(code)) {
      case ShardError::not_serving: return "the shard is not serving";
      case ShardError::not_leader: return "this node does not lead the shard; not applied";
      case ShardError::log_stopped: return "the log has stopped; not applied";
      case ShardError::clock_jumped: return "the wall clock jumped; not applied";
      case ShardError::outcome_unknown: return "it is unknown whether the request was applied";
      case ShardError::session_not_found: return "session not found";
      case ShardError::invalid_session_timeout: return "invalid session timeout";
      case ShardError::notifications_disabled: return "notifications are not enabled";
    }
    return "unknown shard error";
  }
};

}  // namespace

std::error_code make_error_code(ShardError code) {
  static const Category category;
  return {static_cast<int>(code), category};
}

}  // namespace skerry::replica
