// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <vector>

#include "load/target.hpp"
#include "rpc/channel.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::bench {

// Many who follow the changes of shard 0, spread over some connections. Of what they are told only the offset is read.
class StoreFollowers {
 public:
  StoreFollowers(Core& core, net::Network& network, const net::Address& address, FollowerOptions options);
  Task<Result<std::int64_t>> start();   // the offset after which each is told of changes
  Task<> stop();

 private:
  Task<> follow(rpc::ClientCall& call);

  Core& core_;
  FollowerOptions options_;
  std::vector<std::unique_ptr<rpc::Channel>> channels_;
  std::vector<std::unique_ptr<rpc::ClientCall>> calls_;
  TaskScope tasks_;
};

}  // namespace skerry::bench
