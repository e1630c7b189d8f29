// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "rpc/methods.hpp"
#include "runtime/core.hpp"
#include "testing/echo.pb.h"

namespace skerry::test {

// skerry.test.Echo, as its .proto tells. One core's; outlives the methods it registers.
class EchoService {
 public:
  explicit EchoService(Core& core) : core_(core) {}
  void add_to(rpc::Methods& methods);
  const Statistics& statistics() const { return statistics_; }

 private:
  class Run;
  Task<rpc::Status> unary(rpc::ServerCall& call, const EchoRequest& request, EchoReply& reply);
  Task<rpc::Status> server_stream(rpc::ServerCall& call, const EchoRequest& request, rpc::Replies<EchoReply>& replies);
  Task<rpc::Status> client_stream(rpc::ServerCall& call, rpc::Requests<EchoRequest>& requests, EchoReply& reply);
  Task<rpc::Status> bidirectional(rpc::ServerCall& call, rpc::Requests<EchoRequest>& requests, rpc::Replies<EchoReply>& replies);
  Task<rpc::Status> slow_reader(rpc::ServerCall& call, rpc::Requests<EchoRequest>& requests, EchoReply& reply);
  Task<rpc::Status> get_statistics(rpc::ServerCall& call, const StatisticsRequest& request, Statistics& reply);

  Core& core_;
  Statistics statistics_;
};

}  // namespace skerry::test
