// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string_view>

#include "base/time.hpp"
#include "rpc/status.hpp"

namespace skerry::rpc {

// Messages of one method's calls, counted as they pass, and their bytes.
struct MessageTraffic {
  std::uint64_t received = 0, sent = 0;
  std::uint64_t bytes_received = 0, bytes_sent = 0;
};

// Told about the calls of one method. One core's; what it does is on every call's path, so: counters, no allocation.
class MethodObserver {
 public:
  MessageTraffic messages;   // counted by the server itself

  virtual ~MethodObserver() = default;
  virtual void on_start() = 0;
  virtual void on_end(Code code, Duration latency) = 0;   // from the request's last header to the handler's return
};

// Where observers come from; metrics stand behind it.
class MethodStats {
 public:
  virtual ~MethodStats() = default;
  // Asked once for each method when a server or channel first meets it; may be nothing. The observer outlives its user.
  virtual MethodObserver* observer(std::string_view method) = 0;
};

}  // namespace skerry::rpc
