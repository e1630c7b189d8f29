// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <expected>
#include <memory>
#include <optional>

#include "rpc/status.hpp"

namespace skerry::auth {
struct Caller;
}

namespace skerry::rpc {

class ServerCall;

// Who calls; null: nobody was asked.
using CallerPtr = std::shared_ptr<const auth::Caller>;

// Finds out who calls, before a request's body is taken in. What a caller may do is the services' affair. One core's; outlives
// the server that asks. Plain functions: they are called while frames are being read.
class CallGuard {
 public:
  virtual ~CallGuard() = default;
  // By the call's method, metadata and certificate: who calls, or how to refuse.
  virtual std::expected<CallerPtr, Status> admit(const ServerCall& call) = 0;
  // Of a call that was admitted and has not ended: how to end it, if its caller is no longer who it was then.
  virtual std::optional<Status> revoke(const ServerCall& call) = 0;
};

}   // namespace skerry::rpc
