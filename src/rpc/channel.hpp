// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <expected>
#include <memory>
#include <optional>

#include "net/stream.hpp"
#include "rpc/status.hpp"
#include "runtime/task.hpp"

namespace google::protobuf {
class MessageLite;
}

namespace skerry {
class Core;
}

namespace skerry::rpc {

struct CallOptions {
  Deadline deadline;       // always set: a call without an end is a leak
  Metadata metadata = {};
};

struct ChannelOptions {
  std::size_t message_bytes_max = 256 << 20;
  Duration connect_timeout = 5s;
  Duration backoff_min = 50ms, backoff_max = 5s;
  Duration keepalive_interval = 10s, keepalive_timeout = 3s;
  std::string authority = {};   // "" : the address
};

// A call in progress. write() and read() may run at the same time, each by one coroutine.
class ClientCall {
 public:
  virtual ~ClientCall() = default;   // cancels what has not ended
  virtual Task<Result<>> write(const google::protobuf::MessageLite& message) = 0;   // waits while the server is slow
  virtual Task<Result<>> finish_writing() = 0;
  // False at the end; then finish() tells how it ended.
  virtual Task<Result<bool>> read(google::protobuf::MessageLite& into) = 0;
  // The same, as it came: valid until the next one; nothing at the end.
  virtual Task<Result<std::optional<BytesView>>> next() = 0;
  virtual Task<Status> finish() = 0;
  virtual void cancel() = 0;
};

// One connection to one peer from one core, multiplexed; connects when first used and again after it broke, with backoff
// and jitter. Calls on a broken connection fail at once with unavailable.
class Channel {
 public:
  static std::unique_ptr<Channel> make(Core& core, net::Network& network, net::Address address, ChannelOptions options);
  virtual ~Channel() = default;
  // `request` and `reply` must live until it returns.
  virtual Task<Status> unary(std::string method, const google::protobuf::MessageLite& request,
                             google::protobuf::MessageLite& reply, CallOptions options) = 0;
  virtual Task<Result<std::unique_ptr<ClientCall>>> open(std::string method, CallOptions options) = 0;
  virtual Task<> stop() = 0;
};

}  // namespace skerry::rpc
