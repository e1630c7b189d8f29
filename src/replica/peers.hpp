// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <span>

#include "base/bytes.hpp"
#include "replica/messages.hpp"
#include "store/snapshot_source.hpp"

namespace skerry::replica {

// A snapshot on its way to a replica, as that sees it. One attempt: what it took stays taken when the way breaks.
class ArrivingSnapshot {
 public:
  virtual ~ArrivingSnapshot() = default;
  // Tells the sender from where to go on. Once, before the first block.
  virtual Task<Result<>> go_on(store::SnapshotPlace from) = 0;
  // The next block, however long it takes; fails when the way is broken.
  virtual Task<Result<Bytes>> next() = 0;
};

// Whose snapshot it is that a leader sends.
struct SnapshotSender {
  ShardId shard;
  Term term;   // that it leads
  MembershipVersion version{0};
  // Pins the state; called when it is this one's turn.
  std::function<Task<Result<std::unique_ptr<store::SnapshotSource>>>()> open;
};

// The way to the same shard on other nodes. Any message may be lost, doubled, late or reordered. One core's; outlives the
// replicas that use it.
class Peers {
 public:
  virtual ~Peers() = default;
  // What is borrowed must live until these return. `entries` are the bytes of those that the message names.
  virtual void send(NodeId to, ShardId shard, const Append& message, std::span<const BytesView> entries) = 0;
  virtual void send(NodeId to, ShardId shard, const AppendAnswer& message) = 0;
  // Brings a state to the replica there, going on where an attempt was broken off, and returns when the replica has it for good;
  // few at once, and not faster than is good for others. Fails when it is refused, or after limits::snapshot_patience without
  // progress. Cancel it when the shard leads no more.
  virtual Task<Result<>> send_snapshot(NodeId to, SnapshotSender sender) = 0;
};

}   // namespace skerry::replica
