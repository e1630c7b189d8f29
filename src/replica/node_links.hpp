// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "net/stream.hpp"
#include "replica/node_leases.hpp"
#include "replica/peers.hpp"
#include "replica/shard_group.hpp"
#include "replica/snapshot_streams.hpp"
#include "rpc/methods.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::replica::v1 {
class LinkRequest;
class LinkAnswer;
}  // namespace skerry::replica::v1

namespace skerry::replica {

// What a node is to others.
struct NodeIdentity {
  std::string instance;   // of its cluster; nodes of others are refused
  NodeId self;
};

// The streams between one node and the others: one to each, with what its leaders send and its heartbeats, and one from each,
// where its followers answer. A stream that breaks is made again; what it carried is lost, and the replicas ask where they stand.
// One core's, the node's; outlives the shards of its group that use it. stop() before the group's.
class NodeLinks final : public Peers {
 public:
  // All must outlive it.
  NodeLinks(Core& core, net::Network& network, ShardGroup& group, NodeLeases& leases);
  ~NodeLinks() override;

  // Until then the node belongs nowhere, and answers nobody. Once.
  void join(NodeIdentity identity);

  void register_in(rpc::Methods& methods);   // the answering side; on a server that stops before this
  // Where the other nodes are. Those that are not named any more are let go.
  void set_nodes(std::map<NodeId, net::Address> nodes);
  Task<> stop();

  void send(NodeId to, ShardId shard, const Append& message, std::span<const BytesView> entries) override;
  void send(NodeId to, ShardId shard, const AppendAnswer& message) override;
  Task<Result<>> send_snapshot(NodeId to, SnapshotSender sender) override;

  // When the other was last heard: an answer to a heartbeat, or a heartbeat. Nothing: never.
  std::optional<TimePoint> heard(NodeId node) const;

 private:
  class Outbound;
  class Inbound;

  Task<rpc::Status> answer_link(rpc::ServerCall& call, rpc::Requests<v1::LinkRequest>& requests,
                                rpc::Replies<v1::LinkAnswer>& replies);
  Task<rpc::Status> answer_snapshot(rpc::ServerCall& call, rpc::Requests<v1::SnapshotRequest>& requests,
                                    rpc::Replies<v1::SnapshotAnswer>& replies);
  Task<Result<std::unique_ptr<rpc::ClientCall>>> call_for_snapshot(NodeId to);
  std::expected<NodeId, rpc::Status> check_caller(const rpc::ServerCall& call) const;
  static Task<> let_go(std::unique_ptr<Outbound> link);
  void take(NodeId from, const HeartbeatNews& news);
  void probe_all(NodeId node);

  Core& core_;
  net::Network& network_;
  ShardGroup& group_;
  NodeLeases& leases_;
  std::optional<NodeIdentity> identity_;
  std::map<NodeId, std::unique_ptr<Outbound>> outbound_;
  std::map<NodeId, Inbound*> inbound_;   // the newest from each; they live in their handlers' frames
  std::map<NodeId, TimePoint> heard_;
  SnapshotStreams snapshots_;
  TaskScope tasks_;
};

}   // namespace skerry::replica
