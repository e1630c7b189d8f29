// SPDX-License-Identifier: Apache-2.0
#include "client/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace skerry::client {
namespace {

using Action = Verdict::Action;

class Category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "skerry.client"; }
  std::string message(int value) const override {
    switch (static_cast<ClientErrc>(value)) {
      case ClientErrc::key_not_found: return "key not found";
      case ClientErrc::unexpected_version_id: return "unexpected version id";
      case ClientErrc::session_expired: return "session expired";
      case ClientErrc::outcome_unknown: return "outcome unknown";
      case ClientErrc::namespace_not_found: return "namespace not found";
      case ClientErrc::notifications_disabled: return "notifications not enabled on namespace";
      case ClientErrc::not_authorized: return "not authorized";
      case ClientErrc::shard_moved: return "shard moved";
    }
    return "unknown client error";
  }
};

struct Rule {
  std::string_view reason;
  int old_code;               // of servers before 0.17; 0: none
  Action action;
  bool maybe_applied;
  std::error_code code;
};

// Reasons that a server gives before it has proposed anything are "not applied"; every other leaves that open.
const std::array rules{
    Rule{"ABORTED", 103, Action::retry, true, Errc::unavailable},
    Rule{"NODE_IS_NOT_LEADER", 106, Action::retry, false, Errc::unavailable},
    Rule{"NODE_IS_NOT_MEMBER", 112, Action::retry, false, Errc::unavailable},
    Rule{"NOT_INITIALIZED", 100, Action::retry, false, Errc::unavailable},
    Rule{"RESOURCE_UNAVAILABLE", 104, Action::retry, true, Errc::unavailable},
    // The node was fenced, or lost a race with an election: another attempt finds the new leader.
    Rule{"INVALID_TERM", 101, Action::retry, true, Errc::unavailable},
    Rule{"INVALID_STATUS", 102, Action::retry, true, Errc::unavailable},
    Rule{"SHARD_NOT_FOUND", 0, Action::reroute, false, ClientErrc::shard_moved},
    Rule{"NAMESPACE_NOT_FOUND", 110, Action::give_up, false, ClientErrc::namespace_not_found},
    Rule{"SESSION_NOT_FOUND", 108, Action::give_up, false, ClientErrc::session_expired},
    Rule{"INVALID_SESSION_TIMEOUT", 109, Action::give_up, false, Errc::invalid_argument},
    Rule{"NOTIFICATIONS_NOT_ENABLED", 111, Action::give_up, false, ClientErrc::notifications_disabled},
    Rule{"RESOURCE_CONFLICT", 0, Action::give_up, false, Errc::already_exists},
    // Of skerry.store.v1.
    Rule{"OUTCOME_FORGOTTEN", 0, Action::give_up, true, ClientErrc::outcome_unknown},
    Rule{"OUTCOME_UNKNOWN", 0, Action::retry, true, Errc::unavailable},
};

const Rule* find_rule(const std::optional<rpc::ErrorInfo>& info, int code) {
  const auto rule = std::ranges::find_if(rules, [&](const Rule& each) {
    return info && (info->domain == "oxia.io" || info->domain == "skerry.store.v1") ? each.reason == info->reason
                                                                                    : each.old_code != 0 && each.old_code == code;
  });
  return rule == rules.end() ? nullptr : &*rule;
}

Rule rule_for(rpc::Code code) {
  switch (code) {
    case rpc::Code::ok: return {"", 0, Action::retry, true, Errc::unavailable};   // the stream ended and owes answers
    case rpc::Code::unavailable: return {"", 0, Action::retry, true, Errc::unavailable};
    case rpc::Code::aborted: return {"", 0, Action::retry, true, Errc::aborted};
    case rpc::Code::cancelled: return {"", 0, Action::retry, true, Errc::cancelled};
    case rpc::Code::deadline_exceeded: return {"", 0, Action::give_up, true, Errc::deadline_exceeded};
    case rpc::Code::invalid_argument:
    case rpc::Code::out_of_range: return {"", 0, Action::give_up, false, Errc::invalid_argument};
    case rpc::Code::failed_precondition: return {"", 0, Action::give_up, false, Errc::invalid_argument};
    case rpc::Code::not_found: return {"", 0, Action::give_up, false, Errc::not_found};
    case rpc::Code::permission_denied:
    case rpc::Code::unauthenticated: return {"", 0, Action::give_up, false, ClientErrc::not_authorized};
    case rpc::Code::resource_exhausted: return {"", 0, Action::give_up, false, Errc::resource_exhausted};
    case rpc::Code::unimplemented: return {"", 0, Action::give_up, false, Errc::unsupported};
    default: return {"", 0, Action::give_up, true, Errc::internal};
  }
}

std::optional<ShardId> parse_shard(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return ShardId{value};
}

void take_hint(const rpc::ErrorInfo& info, Verdict& verdict) {
  const auto shard = info.metadata.find("shard");
  const auto leader = info.metadata.find("leader");
  if (shard == info.metadata.end() || leader == info.metadata.end() || leader->second.empty()) return;
  verdict.shard = parse_shard(shard->second);
  if (verdict.shard) verdict.leader = leader->second;
}

}  // namespace

std::error_code make_error_code(ClientErrc code) {
  static const Category category;
  return {static_cast<int>(code), category};
}

Verdict judge(const rpc::Status& status) {
  const std::optional<rpc::ErrorInfo> info = status.info();
  const Rule* known = find_rule(info, static_cast<int>(status.code));
  const Rule rule = known != nullptr ? *known : rule_for(status.code);
  Verdict verdict{rule.action, rule.maybe_applied, std::nullopt, {}, Error{rule.code, status.message}};
  if (status.ok()) verdict.error.text = "the server ended the stream";
  if (info) take_hint(*info, verdict);
  return verdict;
}

Verdict judge(const Error& error) {
  if (error == Errc::invalid_argument || error == Errc::unsupported || error == Errc::resource_exhausted) {
    return {Action::give_up, false, std::nullopt, {}, error};
  }
  if (error == Errc::deadline_exceeded) return {Action::give_up, true, std::nullopt, {}, error};
  return {Action::retry, true, std::nullopt, {}, error};
}

}  // namespace skerry::client
