// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <span>

#include "base/bytes.hpp"
#include "replica/messages.hpp"

namespace skerry::replica {

// The way to the same shard on other nodes. Any message may be lost, doubled, late or reordered. One core's; outlives the replicas
// that use it.
class Peers {
 public:
  virtual ~Peers() = default;
  // What is borrowed must live until these return. `entries` are the bytes of those that the message names.
  virtual void send(NodeId to, ShardId shard, const Append& message, std::span<const BytesView> entries) = 0;
  virtual void send(NodeId to, ShardId shard, const AppendAnswer& message) = 0;
};

}   // namespace skerry::replica
