// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <string>

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

// What a handler may know of its call. Lives until the handler has returned.
class ServerCall {
 public:
  virtual ~ServerCall() = default;
  virtual const Metadata& metadata() const = 0;      // request headers, without gRPC's own
  virtual std::string_view method() const = 0;       // "/package.Service/Method"
  virtual std::string_view authority() const = 0;
  virtual Deadline deadline() const = 0;             // no_deadline when the client set none
  virtual net::Address peer() const = 0;
  virtual void add_trailer(std::string name, std::string value) = 0;
};

// Messages as bytes; the typed faces below parse and serialise. A handler whose client goes away is cancelled.
class MessageSource {
 public:
  virtual ~MessageSource() = default;
  // The next message, valid until the next call; nothing when the client has half-closed.
  virtual Task<Result<std::optional<BytesView>>> next() = 0;
};
class MessageSink {
 public:
  virtual ~MessageSink() = default;
  // Queues the message; returns at once while little is queued, otherwise when the client has taken enough (back-pressure).
  virtual Task<Result<>> write(const google::protobuf::MessageLite& message) = 0;
};

template <class Request>
class Requests {
 public:
  explicit Requests(MessageSource& source) : source_(source) {}
  // False at the end of the stream. Malformed messages end the call with invalid_argument.
  Task<Result<bool>> next(Request& into);

 private:
  MessageSource& source_;
};
template <class Reply>
class Replies {
 public:
  explicit Replies(MessageSink& sink) : sink_(sink) {}
  Task<Result<>> write(const Reply& reply) { return sink_.write(reply); }

 private:
  MessageSink& sink_;
};

// The methods that a server answers. Filled at start, shared by all connections of a core.
// Handlers are coroutines; references are valid until they return.
class Methods {
 public:
  template <class Request, class Reply>
  using Unary = std::function<Task<Status>(ServerCall&, const Request&, Reply&)>;
  template <class Request, class Reply>
  using ServerStream = std::function<Task<Status>(ServerCall&, const Request&, Replies<Reply>&)>;
  template <class Request, class Reply>
  using ClientStream = std::function<Task<Status>(ServerCall&, Requests<Request>&, Reply&)>;
  template <class Request, class Reply>
  using Bidirectional = std::function<Task<Status>(ServerCall&, Requests<Request>&, Replies<Reply>&)>;

  template <class Request, class Reply>
  void unary(std::string method, Unary<Request, Reply> handler);
  template <class Request, class Reply>
  void server_stream(std::string method, ServerStream<Request, Reply> handler);
  template <class Request, class Reply>
  void client_stream(std::string method, ClientStream<Request, Reply> handler);
  template <class Request, class Reply>
  void bidirectional(std::string method, Bidirectional<Request, Reply> handler);
};

struct ServerOptions {
  std::size_t message_bytes_max = 256 << 20;
  Duration keepalive_min_interval = 5s;       // clients that ping more often are sent away (ENHANCE_YOUR_CALM)
  std::size_t connections_max = 10'000;
  std::size_t streams_max = 1'024;            // concurrent, per connection
};

// Serves gRPC over HTTP/2 on one core. start() listens; stop() drains: GOAWAY, running calls get until `deadline`, then are cut.
class Server {
 public:
  static std::unique_ptr<Server> make(Core& core, net::Network& network, const Methods& methods, ServerOptions options);
  virtual ~Server() = default;
  virtual Result<net::Address> start(const net::Address& address) = 0;
  virtual Task<> stop(Deadline deadline) = 0;
};

}  // namespace skerry::rpc
