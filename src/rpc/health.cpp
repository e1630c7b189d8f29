// SPDX-License-Identifier: Apache-2.0
#include "rpc/health.hpp"

#include "base/assert.hpp"
#include "health/health.pb.h"

namespace skerry::rpc {

void Health::add_to(Methods& methods) {
  methods.unary<Request, Response>(
      "/grpc.health.v1.Health/Check",
      [this](ServerCall& call, const Request& request, Response& response) { return check(call, request, response); });
  methods.server_stream<Request, Response>(
      "/grpc.health.v1.Health/Watch",
      [this](ServerCall& call, const Request& request, Replies<Response>& responses) { return watch(call, request, responses); });
  const auto checked = methods.check(*Request::descriptor()->file()->FindServiceByName("Health"));
  SKERRY_ASSERT(checked.has_value());
}

void Health::set(std::string service, Serving serving) {
  services_[std::move(service)] = serving;
  changed_.notify_all();
}

Task<Status> Health::check(ServerCall&, const Request& request, Response& response) {
  const auto found = services_.find(request.service());
  if (found == services_.end()) {
    co_return Status{Code::not_found, "no service " + printable(request.service()) + " is known to the health check", {}};
  }
  response.set_status(found->second == Serving::yes ? Response::SERVING : Response::NOT_SERVING);
  co_return Status();
}

Task<Status> Health::watch(ServerCall&, const Request& request, Replies<Response>& responses) {
  Response response;
  for (bool first = true;; first = false) {
    const auto found = services_.find(request.service());
    const auto status = found == services_.end()        ? Response::SERVICE_UNKNOWN
                        : found->second == Serving::yes ? Response::SERVING
                                                        : Response::NOT_SERVING;
    if (!first && status == response.status()) {
      co_await changed_.wait();
      continue;
    }
    response.set_status(status);
    if (const auto written = co_await responses.write(response); !written) co_return Status::from(written.error());
  }
}

}  // namespace skerry::rpc
