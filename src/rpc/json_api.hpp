// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "net/http_server.hpp"
#include "rpc/call_guard.hpp"
#include "rpc/json_call.hpp"
#include "rpc/method_stats.hpp"
#include "rpc/methods.hpp"
#include "runtime/event.hpp"

namespace skerry {
class Tracer;
}

namespace skerry::rpc {

struct JsonApiOptions {
  std::size_t streams_max = 64;   // calls at a time of methods that stream, so that some connections are left for others
  std::size_t messages_max = 10'000;   // in the body of a request to a method that takes many
  Duration unary_timeout = 30s;   // unless the header grpc-timeout says otherwise; streams have no end but that
};

// What answers a set of methods as it answers gRPC.
struct JsonService {
  const Methods* methods = nullptr;
  std::string authority = {};   // what handlers take for the address that was called: gRPC's, not this port's
  CallGuard* guard = nullptr;   // null: everybody may call everything
  Tracer* tracer = nullptr;   // null: nothing is traced
  MethodStats* stats = nullptr;    // calls are counted with gRPC's
};

// Every gRPC method of a core once more, for curl and scripts: POST /api/<Service>/<Method> takes and gives protobuf's JSON.
//   GET /api                     what there is      GET /api/<Service>/<Method>   how to call it, with an example
//   a method with one answer     its JSON           one that streams              a line of JSON for each message, as they come
//   one that takes many          a JSON array, or objects one after the other, as the body
// Headers are the call's metadata. Errors are JSON with gRPC's status, the reason and what to do; HTTP's status is the nearest
// one. Pages of browsers are refused: a page from elsewhere must not write to the store of whoever looks at it.
//
// One core's. Made by whoever owns the HTTP server; applets add their methods when they start, and take them away when they stop.
class JsonApi {
 public:
  using View = std::function<Task<Result<std::string>>(net::HttpRequest)>;   // JSON

  explicit JsonApi(Core& core, JsonApiOptions options = {});
  ~JsonApi();
  void route_in(net::HttpServer& http);   // which stops before this ends

  // What it refers to must live until remove() has returned. A method that is there already is answered as before.
  void add(const JsonService& service);
  // Ends its calls with unavailable, and waits for them.
  Task<> remove(const Methods& methods);
  // Ends the calls whose callers are no longer who they were, as the guards say.
  void recheck_callers();
  // Something to look at that is no method: GET /api/<name>. Its name has no dot, a service's has.
  void add_view(std::string name, View view);
  void remove_view(const std::string& name);

 private:
  struct Entry;
  struct Running;
  struct Found {
    std::shared_ptr<Entry> entry;
    const Method* method;
  };
  Task<net::HttpResponse> get(net::HttpRequest request);
  Task<> post(net::HttpRequest request, net::HttpReply& reply);
  Task<> call(std::shared_ptr<Entry> entry, const Method& method, const net::HttpRequest& request, net::HttpReply& reply);
  Task<Status> run(Entry& entry, const Method& method, JsonCall& call);
  std::optional<Found> find(std::string_view method) const;
  std::string listing() const;
  std::string methods_of(std::string_view service) const;   // "" when there are none
  Status unknown(std::string_view path) const;

  Core& core_;
  const JsonApiOptions options_;
  std::list<std::shared_ptr<Entry>> services_;
  std::map<std::string, View, std::less<>> views_;
  std::size_t streams_ = 0;
};

}   // namespace skerry::rpc
