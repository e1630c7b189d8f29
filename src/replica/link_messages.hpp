// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <span>

#include "base/bytes.hpp"
#include "replica/messages.hpp"
#include "skerry/replica/v1/replica.pb.h"
#include "store/snapshot_format.hpp"

// The messages of replicas and their nodes, to and from the wire. Nothing that comes from there is trusted: ids below what can be
// are refused with corrupt.
namespace skerry::replica {

namespace wire = v1;

void write(const Append& message, ShardId shard, std::span<const BytesView> entries, wire::Append& out);
void write(const AppendAnswer& message, ShardId shard, wire::AppendAnswer& out);
void write(const Heartbeat& message, wire::Heartbeat& out);
void write(const HeartbeatAnswer& message, wire::HeartbeatAnswer& out);
void write(const SnapshotHeader& message, ShardId shard, BytesView head, wire::SnapshotOffer& out);
void write(const store::SnapshotPlace& message, wire::SnapshotPlace& out);

Result<Append> read(const wire::Append& in);
Result<AppendAnswer> read(const wire::AppendAnswer& in);
Heartbeat read(const wire::Heartbeat& in);
Result<HeartbeatAnswer> read(const wire::HeartbeatAnswer& in);
Result<SnapshotHeader> read(const wire::SnapshotOffer& in);
store::SnapshotPlace read(const wire::SnapshotPlace& in);

}   // namespace skerry::replica
