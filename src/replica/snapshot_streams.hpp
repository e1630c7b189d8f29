// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "replica/peers.hpp"
#include "replica/shard_group.hpp"
#include "rpc/channel.hpp"
#include "rpc/methods.hpp"
#include "runtime/semaphore.hpp"

namespace skerry::replica::v1 {
class SnapshotRequest;
class SnapshotAnswer;
}  // namespace skerry::replica::v1

namespace skerry::replica {

// The snapshots that a node sends, and those that it is sent: few at once, and no faster than others can bear. One core's, the
// node's.
class SnapshotStreams {
 public:
  // A new call of SendSnapshot to the node; fails while it can't be reached.
  using Call = std::function<Task<Result<std::unique_ptr<rpc::ClientCall>>>(NodeId to)>;
  SnapshotStreams(Core& core, ShardGroup& group, Call call);

  Task<Result<>> send(NodeId to, SnapshotSender sender);   // see Peers
  // The answering side of the method.
  Task<rpc::Status> receive(NodeId from, rpc::Requests<v1::SnapshotRequest>& requests, rpc::Replies<v1::SnapshotAnswer>& replies);
  void stop() { turns_.close(); }

 private:
  struct Attempt;
  class Arriving;
  Task<Result<>> attempt(NodeId to, Attempt& attempt);
  Task<> pace(std::size_t bytes);

  Core& core_;
  ShardGroup& group_;
  const Call call_;
  Semaphore turns_;
  TimePoint free_at_;   // what was sent so far has had its time
};

}   // namespace skerry::replica
