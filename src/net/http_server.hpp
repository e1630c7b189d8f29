// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "net/stream.hpp"
#include "runtime/event.hpp"
#include "runtime/task_scope.hpp"

namespace skerry {
class Core;
}

namespace skerry::net {

struct HttpRequest {
  std::string method;                                          // "GET"
  std::string path;                                            // decoded, without the query
  std::string query;                                           // as sent, without '?'
  std::vector<std::pair<std::string, std::string>> headers;    // names in lower case
  std::string body;
  Address peer;
  const PeerCertificate* certificate = nullptr;   // what the client proved itself with; lives as its connection does

  std::string_view header(std::string_view name) const;   // the first, by its name in lower case; empty when absent
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};   // besides content type and length
};

// The answer to one request, for a handler that can't give it whole. One call at a time; each waits while the client is slow.
class HttpReply {
 public:
  virtual ~HttpReply() = default;
  // Whole: instead of begin().
  virtual Task<Result<>> send(HttpResponse response) = 0;
  // The head; its body follows in pieces of any size. The client knows the end by the protocol when the handler returns.
  virtual Task<Result<>> begin(HttpResponse head) = 0;
  virtual Task<Result<>> write(BytesView piece) = 0;
  virtual bool begun() const = 0;   // either way
};

struct HttpServerOptions {
  std::size_t header_bytes_max = 16 << 10;
  std::size_t body_bytes_max = 1 << 20;
  std::size_t connections_max = 256;   // more wait to be accepted
  Duration idle_timeout = 60s;   // between requests on a connection
  Duration request_timeout = 30s;   // from a request's first byte to its last
  Duration handler_timeout = 60s;   // then 503
  Duration handshake_timeout = 10s;   // of connections with TLS
  // Before a request finds its handler: nothing, or what to answer instead.
  std::function<std::optional<HttpResponse>(const HttpRequest&)> refuse = {};
  std::function<void(const Address& peer, const Error& why)> on_handshake_failed = {};
};

// A small HTTP/1.1 server for operators and scripts: metrics, health, log levels. One core's. Handlers are coroutines that get
// the request by value; what they refer to must outlive stop(). A path that ends in '/' matches all below it; the longest match
// wins. Bad requests, unknown paths and wrong methods are answered here, with a text that says what is expected.
class HttpServer {
 public:
  using Handler = std::function<Task<HttpResponse>(HttpRequest)>;
  // Answers by `reply`, for as long as it takes; cancelled when the client goes away.
  using LongHandler = std::function<Task<>(HttpRequest, HttpReply& reply)>;

  HttpServer(Core& core, Network& network, HttpServerOptions options = {});
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();

  // Before start(). A handler of GET answers HEAD too.
  void route(std::string method, std::string path, Handler handler);
  void route_long(std::string method, std::string path, LongHandler handler);
  // Listens; returns the address with the real port.
  Result<Address> start(const Address& address);
  // Closes the listener and all connections, and waits for the handlers that are running (cancelled).
  Task<> stop();
  std::size_t connections() const { return connections_; }

 private:
  class Connection;
  class Place;
  Task<> accept_loop();
  Task<> serve(std::unique_ptr<Stream> stream);
  struct Route {
    Handler handler;   // one of the two
    LongHandler long_handler;
  };
  using RoutesOfPath = std::map<std::string, Route>;   // by method
  void add(std::string method, std::string path, Route route);
  std::expected<const Route*, HttpResponse> find(const HttpRequest& request) const;
  const RoutesOfPath* find_path(std::string_view path) const;
  Task<HttpResponse> answer(const Route& route, HttpRequest request);

  Core& core_;
  Network& network_;
  const HttpServerOptions options_;
  std::map<std::string, RoutesOfPath, std::less<>> routes_;   // by path
  std::unique_ptr<Listener> listener_;
  std::size_t connections_ = 0;
  Signal connection_ended_;
  TaskScope tasks_;
};

}   // namespace skerry::net
