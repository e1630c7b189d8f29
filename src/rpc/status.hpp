// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace skerry::rpc {

// gRPC's status codes, as on the wire.
enum class Code {
  ok = 0,
  cancelled = 1,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  already_exists = 6,
  permission_denied = 7,
  resource_exhausted = 8,
  failed_precondition = 9,
  aborted = 10,
  out_of_range = 11,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  data_loss = 15,
  unauthenticated = 16,
};
std::string_view name(Code code);   // "INVALID_ARGUMENT"

// google.rpc.ErrorInfo: what went wrong for a program that reads it.
struct ErrorInfo {
  std::string domain;
  std::string reason;
  std::map<std::string, std::string> metadata;
};

// How a call ended.
struct [[nodiscard]] Status {
  Code code = Code::ok;
  std::string message;
  std::string details;    // a serialised google.rpc.Status, in the trailer grpc-status-details-bin; empty for none
  bool from_peer = false; // the server's word; otherwise this side's, which can't tell how far the call came there

  bool ok() const { return code == Code::ok; }
  static Status with_info(Code code, std::string message, const ErrorInfo& info);
  static Status from(const Error& error);           // the nearest code for an Errc, and its text
  std::optional<ErrorInfo> info() const;            // from the details, if there is one
  Error error() const;                              // the nearest Errc, and the message
};

// Header or trailer fields, names in lower case; "-bin" values are plain bytes here and base64 on the wire.
class Metadata {
 public:
  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  std::optional<std::string_view> find(std::string_view name) const;   // the first
  const auto& fields() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

}  // namespace skerry::rpc
