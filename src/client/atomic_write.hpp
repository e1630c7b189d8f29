// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "client/cluster.hpp"
#include "client/sessions.hpp"
#include "client/types.hpp"
#include "skerry/store/v1/store.pb.h"

namespace skerry::client {

// One atomic batch on its way to its shard: found, sent, and sent again under the same request id until its outcome is known.
// Lives in the frame of the call that waits for it.
class AtomicWrite {
 public:
  AtomicWrite(Cluster& cluster, Sessions& sessions, store::v1::BatchRequest request, Ephemeral ephemeral);
  // `route_keys`: all that must live on one shard.
  Task<Result<BatchResult>> run(std::vector<std::string> route_keys, Deadline deadline);

 private:
  Task<Result<ShardId>> route(const std::vector<std::string>& keys, Deadline deadline);
  Task<Result<>> use_session(ShardId shard, Deadline deadline);
  Error error_of(const Verdict& verdict, const std::string& address) const;

  Cluster& cluster_;
  Sessions& sessions_;
  store::v1::BatchRequest request_;
  Ephemeral ephemeral_;
  std::optional<SessionId> session_;
  bool maybe_applied_ = false;
};

// What decides the shard of each part of a batch. With a partition key that alone.
std::vector<std::string> route_keys(const AtomicBatch& batch, const BatchOptions& options);

}  // namespace skerry::client
