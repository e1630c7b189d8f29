// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

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

// All keys of a range, or its whole records.
struct RangeRead {
  enum class What : std::uint8_t { keys, records };
  What what;
  BytesView first, end;   // `end` is not of it
};

struct TargetOptions {
  std::vector<net::Address> addresses;   // one, or one for each shard
  std::uint32_t connections = 1;         // requests are spread over them in turn; to each shard
  std::uint32_t shards = 1;              // the same
};

struct FollowerOptions {
  std::size_t followers = 1, connections = 1;
  std::function<void(std::int64_t offset)> told;   // of one write, to one follower
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
  // How many it found.
  virtual Task<Result<std::uint64_t>> read_range(RangeRead) {
    co_return fail(Errc::unsupported, "ranges are not read by this protocol");
  }
  // Follows the changes of shard 0 until stop(): those that come after the offset that it returns.
  virtual Task<Result<std::int64_t>> follow(FollowerOptions) {
    co_return fail(Errc::unsupported, "changes are not followed by this protocol");
  }
  virtual Task<> stop() = 0;
};

std::unique_ptr<Target> make_store_target(Core& core, net::Network& network, TargetOptions options);   // Skerry, Oxia
std::unique_ptr<Target> make_etcd_target(Core& core, net::Network& network, TargetOptions options);
std::unique_ptr<Target> make_redis_target(Core& core, net::Network& network, TargetOptions options);

}  // namespace skerry::bench
