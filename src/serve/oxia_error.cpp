// SPDX-License-Identifier: Apache-2.0
#include "serve/oxia_error.hpp"

#include <fmt/format.h>

#include <array>

#include "base/assert.hpp"
#include "replica/shard_error.hpp"

namespace skerry::serve {
namespace {

struct Row {
  OxiaError code;
  rpc::Code grpc;
  const char* reason;
  const char* text;
  bool with_detail = false;   // what an operator reads to know why; the other texts say all there is
};
using rpc::Code;
constexpr std::array rows{
    Row{OxiaError::aborted, Code::aborted, "ABORTED", "oxia: operation was aborted"},
    Row{OxiaError::invalid_session_timeout, Code::invalid_argument, "INVALID_SESSION_TIMEOUT", "oxia: invalid session timeout"},
    Row{OxiaError::session_not_found, Code::not_found, "SESSION_NOT_FOUND", "oxia: session not found"},
    Row{OxiaError::namespace_not_found, Code::not_found, "NAMESPACE_NOT_FOUND", "oxia: namespace not found"},
    Row{OxiaError::shard_not_found, Code::not_found, "SHARD_NOT_FOUND", "oxia: shard not found"},
    Row{OxiaError::invalid_term, Code::failed_precondition, "INVALID_TERM", "oxia: invalid term"},
    Row{OxiaError::invalid_status, Code::failed_precondition, "INVALID_STATUS", "oxia: invalid status"},
    Row{OxiaError::notifications_not_enabled, Code::failed_precondition, "NOTIFICATIONS_NOT_ENABLED",
        "oxia: notifications not enabled on namespace"},
    Row{OxiaError::resource_conflict, Code::failed_precondition, "RESOURCE_CONFLICT", "oxia: resource conflict"},
    Row{OxiaError::node_is_not_member, Code::aborted, "NODE_IS_NOT_MEMBER", "oxia: node is not a member"},
    Row{OxiaError::node_is_not_leader, Code::aborted, "NODE_IS_NOT_LEADER", "oxia: node is not leader"},
    Row{OxiaError::not_initialized, Code::unavailable, "NOT_INITIALIZED", "oxia: server not initialized yet", true},
    Row{OxiaError::resource_unavailable, Code::unavailable, "RESOURCE_UNAVAILABLE", "oxia: resource unavailable", true},
    Row{OxiaError::unknown, Code::unknown, "UNKNOWN", "oxia: unknown error", true},
};

const Row& row(OxiaError code) {
  const auto at = static_cast<std::size_t>(code) - 1;
  SKERRY_ASSERT(at < rows.size() && rows[at].code == code);
  return rows[at];
}

class Category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "oxia"; }
  std::string message(int code) const override { return row(static_cast<OxiaError>(code)).text; }
};

OxiaError of_shard(replica::ShardError code) {
  using replica::ShardError;
  switch (code) {
    case ShardError::not_serving: return OxiaError::not_initialized;
    case ShardError::not_leader: return OxiaError::node_is_not_leader;
    case ShardError::log_stopped:
    case ShardError::clock_jumped: return OxiaError::resource_unavailable;
    case ShardError::outcome_unknown: return OxiaError::unknown;   // not one that clients repeat by themselves
    case ShardError::session_not_found: return OxiaError::session_not_found;
    case ShardError::invalid_session_timeout: return OxiaError::invalid_session_timeout;
    case ShardError::notifications_disabled: return OxiaError::notifications_not_enabled;
  }
  return OxiaError::unknown;
}

OxiaError of_errc(Errc code) {
  switch (code) {
    case Errc::cancelled:
    case Errc::aborted: return OxiaError::aborted;
    case Errc::unavailable:
    case Errc::closed: return OxiaError::resource_unavailable;
    default: return OxiaError::unknown;
  }
}

}  // namespace

std::error_code make_error_code(OxiaError code) {
  static const Category category;
  return {static_cast<int>(code), category};
}

rpc::Status oxia_status(OxiaError code, std::string detail) {
  const Row& row = serve::row(code);
  std::string text = row.text;
  if (row.with_detail && !detail.empty()) text += ": " + detail;
  return rpc::Status::with_info(row.grpc, std::move(text), {"oxia.io", row.reason, {}});
}

rpc::Status oxia_status(const Error& error) {
  const std::error_code code = error.code;
  if (code.category() == make_error_code(OxiaError::unknown).category()) {
    return oxia_status(static_cast<OxiaError>(code.value()), error.text);
  }
  if (code.category() == make_error_code(replica::ShardError::not_serving).category()) {
    return oxia_status(of_shard(static_cast<replica::ShardError>(code.value())), error.message());
  }
  if (code == make_error_code(Errc::invalid_argument) || code == make_error_code(Errc::resource_exhausted) ||
      code == make_error_code(Errc::deadline_exceeded)) {
    return rpc::Status::from(error);
  }
  const bool ours = code.category() == make_error_code(Errc::internal).category();
  return oxia_status(ours ? of_errc(static_cast<Errc>(code.value())) : OxiaError::unknown, error.message());
}

rpc::Status leader_hint(ShardId shard, std::string leader) {
  const Row& row = serve::row(OxiaError::node_is_not_leader);
  return rpc::Status::with_info(
      row.grpc, row.text, {"oxia.io", row.reason, {{"shard", fmt::to_string(shard.value())}, {"leader", std::move(leader)}}});
}

}  // namespace skerry::serve
