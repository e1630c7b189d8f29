// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "rpc/server.hpp"
#include "serve/shard_router.hpp"
#include "skerry/store/v1/store.pb.h"

namespace skerry::serve {

// skerry.store.v1.Store on one core, beside OxiaService and over the same shards: what Oxia's protocol has no words for. Lives on
// its core as long as the rpc server; stop that first.
class StoreV1Service {
 public:
  StoreV1Service(Core& core, const Sharded<ShardHost>& hosts, const ShardDirectory& directory, AuthorityCheck check);

  void register_in(rpc::Methods& methods);

 private:
  Task<rpc::Status> write_stream(rpc::ServerCall& call, rpc::Requests<store::v1::WriteRequest>& requests,
                                 rpc::Replies<store::v1::WriteResponse>& replies);

  Core& core_;
  ShardRouter router_;
};

}   // namespace skerry::serve
