// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>

#include "base/limits.hpp"
#include "net/stream.hpp"
#include "rpc/call_guard.hpp"
#include "rpc/connection_figures.hpp"
#include "rpc/method_stats.hpp"
#include "rpc/methods.hpp"
#include "runtime/task.hpp"

namespace skerry {
class Core;
class Tracer;
}   // namespace skerry

namespace skerry::rpc {

// Each limit ends what exceeds it with a status that names it.
struct ServerOptions {
  std::size_t message_bytes_max = limits::message_bytes_max;
  Duration keepalive_min_interval = 5s;       // clients that ping more often are sent away (ENHANCE_YOUR_CALM)
  std::size_t connections_max = 10'000;
  std::size_t streams_max = 1'024;            // concurrent, per connection
  Duration keepalive_interval = 30s;          // a connection silent for so long is pinged,
  Duration keepalive_timeout = 20s;           // and closed when it stays silent for so long again
  std::size_t header_list_bytes_max = 16 << 10;        // of one request, as HTTP/2 counts them
  std::size_t stream_window_bytes = 1 << 20;           // what a client may send ahead of a slow handler
  std::size_t reply_queue_bytes_max = 64 << 10;        // above it a handler's write() waits
  std::size_t buffered_bytes_max = 512 << 20;          // of all requests under way, of this server
  std::size_t replies_bytes_max = 256 << 20;           // of all replies that no client has taken yet
  Duration handshake_timeout = 10s;                        // of connections with TLS
  std::size_t handshakes_max = 1'024;                      // unfinished; one more closes the oldest of them
  MethodStats* stats = nullptr;                        // must outlive the server
  CallGuard* guard = nullptr;                          // the same; null: everybody may call everything
  std::function<void(const net::Address& peer, const Error& why)> on_handshake_failed = {};
  Tracer* tracer = nullptr;   // records calls as spans; must outlive the server; null: nothing is traced
};

// Serves gRPC over HTTP/2 on one core. start() listens; stop() drains: GOAWAY, running calls get until `deadline`, then are cut.
class Server {
 public:
  // `methods` and `network` must outlive the server.
  static std::unique_ptr<Server> make(Core& core, net::Network& network, const Methods& methods, ServerOptions options);
  virtual ~Server() = default;
  virtual Result<net::Address> start(const net::Address& address) = 0;
  virtual Task<> stop(Deadline deadline) = 0;
  // Ends the calls whose callers the guard would no longer admit as it did. Asked from time to time by who owns the guard.
  virtual void recheck_callers() = 0;
  virtual std::vector<ConnectionFigures> connections() const = 0;   // the open ones
  virtual ServerFigures figures() const = 0;
};

}   // namespace skerry::rpc
