// SPDX-License-Identifier: Apache-2.0
#include "rpc/status.hpp"

#include <array>

#include "google/rpc/status.pb.h"

namespace skerry::rpc {

std::string_view name(Code code) {
  static constexpr std::array<std::string_view, 17> names = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  const auto index = static_cast<std::size_t>(code);
  return index < names.size() ? names[index] : "UNKNOWN";
}

Status Status::with_info(Code code, std::string message, const ErrorInfo& info) {
  google::rpc::ErrorInfo wire_info;
  wire_info.set_domain(info.domain);
  wire_info.set_reason(info.reason);
  for (const auto& [key, value] : info.metadata) (*wire_info.mutable_metadata())[key] = value;
  google::rpc::Status wire_status;
  wire_status.set_code(static_cast<int>(code));
  wire_status.set_message(message);
  wire_status.add_details()->PackFrom(wire_info);
  return {code, std::move(message), wire_status.SerializeAsString()};
}

Status Status::from(const Error& error) {
  Code code = Code::unknown;
  for (const auto& [errc, mapped] : {
           std::pair{Errc::cancelled, Code::cancelled},
           {Errc::deadline_exceeded, Code::deadline_exceeded},
           {Errc::invalid_argument, Code::invalid_argument},
           {Errc::not_found, Code::not_found},
           {Errc::already_exists, Code::already_exists},
           {Errc::resource_exhausted, Code::resource_exhausted},
           {Errc::unavailable, Code::unavailable},
           {Errc::aborted, Code::aborted},
           {Errc::corrupt, Code::data_loss},
           {Errc::io_failed, Code::internal},
           {Errc::closed, Code::unavailable},
           {Errc::unsupported, Code::unimplemented},
           {Errc::internal, Code::internal},
       }) {
    if (error.code == errc) code = mapped;
  }
  return {code, error.message(), {}};
}

std::optional<ErrorInfo> Status::info() const {
  google::rpc::Status wire_status;
  if (details.empty() || !wire_status.ParseFromString(details)) return std::nullopt;
  for (const auto& detail : wire_status.details()) {
    google::rpc::ErrorInfo wire_info;
    if (!detail.Is<google::rpc::ErrorInfo>() || !detail.UnpackTo(&wire_info)) continue;
    ErrorInfo info{wire_info.domain(), wire_info.reason(), {}};
    for (const auto& [key, value] : wire_info.metadata()) info.metadata.emplace(key, value);
    return info;
  }
  return std::nullopt;
}

Error Status::error() const {
  Errc errc = Errc::internal;
  switch (code) {
    case Code::ok:
    case Code::unknown:
    case Code::internal: errc = Errc::internal; break;
    case Code::cancelled: errc = Errc::cancelled; break;
    case Code::invalid_argument:
    case Code::out_of_range:
    case Code::failed_precondition:
    case Code::permission_denied:
    case Code::unauthenticated: errc = Errc::invalid_argument; break;
    case Code::deadline_exceeded: errc = Errc::deadline_exceeded; break;
    case Code::not_found: errc = Errc::not_found; break;
    case Code::already_exists: errc = Errc::already_exists; break;
    case Code::resource_exhausted: errc = Errc::resource_exhausted; break;
    case Code::aborted: errc = Errc::aborted; break;
    case Code::unimplemented: errc = Errc::unsupported; break;
    case Code::unavailable: errc = Errc::unavailable; break;
    case Code::data_loss: errc = Errc::corrupt; break;
  }
  return {errc, message.empty() ? std::string(name(code)) : message};
}

std::optional<std::string_view> Metadata::find(std::string_view name) const {
  for (const auto& [key, value] : fields_) {
    if (key == name) return value;
  }
  return std::nullopt;
}

}  // namespace skerry::rpc
