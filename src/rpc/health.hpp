// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <string>

#include "rpc/methods.hpp"
#include "runtime/event.hpp"

namespace grpc::health::v1 {
class HealthCheckRequest;
class HealthCheckResponse;
}  // namespace grpc::health::v1

namespace skerry::rpc {

// grpc.health.v1.Health: tells load balancers and clients which of a core's services answer. Names are whatever clients ask
// for; "" stands for the server as a whole. One core's; outlives the methods it registers.
class Health {
 public:
  enum class Serving { no, yes };

  explicit Health(Core& core) : changed_(core) {}
  void add_to(Methods& methods);
  void set(std::string service, Serving serving);   // those who watch it are told

 private:
  using Request = grpc::health::v1::HealthCheckRequest;
  using Response = grpc::health::v1::HealthCheckResponse;
  Task<Status> check(ServerCall& call, const Request& request, Response& response);
  Task<Status> watch(ServerCall& call, const Request& request, Replies<Response>& responses);

  std::map<std::string, Serving, std::less<>> services_;
  Signal changed_;
};

}  // namespace skerry::rpc
