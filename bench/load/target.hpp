// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <span>
#include <string>

#include "base/result.hpp"
#include "net/stream.hpp"
#include "runtime/task.hpp"

namespace skerry {
class Core;
}

namespace skerry::bench {

struct Operation {
  enum class Kind : std::uint8_t { put, get };
  Kind kind;
  BytesView key;
  BytesView value;   // of a put
};

struct TargetOptions {
  net::Address address;
  std::uint32_t connections = 1;    // requests are spread over them in turn
};

// A store under load, spoken to in its own protocol. One core's. Many execute() calls may be in flight; each connection
// carries its own in order.
class Target {
 public:
  virtual ~Target() = default;
  virtual Task<Result<>> connect() = 0;
  // Sends the operations, all of one kind, as one message (or as one pipelined stretch where the protocol has no batches);
  // returns when all are answered. Fails on the first refusal.
  virtual Task<Result<>> execute(std::span<const Operation> operations) = 0;
  virtual Task<> stop() = 0;
};

std::unique_ptr<Target> make_store_target(Core& core, net::Network& network, TargetOptions options);   // Skerry, Oxia
std::unique_ptr<Target> make_etcd_target(Core& core, net::Network& network, TargetOptions options);
std::unique_ptr<Target> make_redis_target(Core& core, net::Network& network, TargetOptions options);

}  // namespace skerry::bench
