// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "oxia/client.pb.h"
#include "rpc/server.hpp"
#include "runtime/cores.hpp"
#include "runtime/sharded.hpp"
#include "serve/plain_messages.hpp"
#include "serve/shard_calls.hpp"
#include "serve/shard_directory.hpp"
#include "serve/shard_router.hpp"

namespace skerry::serve {

struct OxiaServiceOptions {
  AuthorityCheck authority_check = AuthorityCheck::off;
};

// Oxia's public service, under its current and its older name, on one core: every connection of this core is answered here, and
// a request for a shard of another core travels there as a whole message. Lives on its core as long as the rpc server; stop
// that first. The node provides what it refers to.
class OxiaService {
 public:
  OxiaService(Core& core, const Sharded<ShardHost>& hosts, const ShardDirectory& directory, OxiaServiceOptions options);

  void register_in(rpc::Methods& methods);

 private:
  std::optional<rpc::Status> read_at_once(const rpc::ServerCall& call, BytesView request, rpc::MessageSink& replies);
  // Of a shard that was split or merged, by clients that don't know yet: passed on to what it became, as far as that is led here.
  using Heirs = std::vector<ShardPlace>;
  Task<rpc::Status> write(rpc::ServerCall& call, const proto::WriteRequest& request, proto::WriteResponse& reply);
  Task<rpc::Status> write_parts(rpc::ServerCall& call, std::vector<HeirWrite> parts, proto::WriteResponse& reply);
  Task<rpc::Status> write_stream_to(Heirs heirs, rpc::ServerCall& call, rpc::Requests<proto::WriteRequest>& requests,
                                    rpc::Replies<proto::WriteResponse>& replies);
  Task<rpc::Status> read_from(Heirs heirs, rpc::ServerCall& call, const proto::ReadRequest& request,
                              rpc::Replies<proto::ReadResponse>& replies);
  template <class Request, class Reply>
  Task<rpc::Status> walk(rpc::ServerCall& call, const Request& request, rpc::Replies<Reply>& replies);
  template <class Reply>
  Task<rpc::Status> walk_over(Heirs heirs, rpc::ServerCall& call, proto::RangeScanRequest request, rpc::Replies<Reply>& replies);
  Task<rpc::Status> create_session_on(Heirs heirs, rpc::ServerCall& call, const proto::CreateSessionRequest& request,
                                      proto::CreateSessionResponse& reply);
  Task<rpc::Status> write_stream(rpc::ServerCall& call, rpc::Requests<proto::WriteRequest>& requests,
                                 rpc::Replies<proto::WriteResponse>& replies);
  Task<rpc::Status> assignments(rpc::ServerCall& call, const proto::ShardAssignmentsRequest& request,
                                rpc::Replies<proto::ShardAssignments>& replies);

  Core& core_;
  const ShardDirectory& directory_;
  ShardRouter router_;
  PlainRead read_;   // what read_at_once() works on, kept for its room
  Bytes answer_;
};

}   // namespace skerry::serve
