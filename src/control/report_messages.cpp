// SPDX-License-Identifier: Apache-2.0
#include "control/report_messages.hpp"

#include "control/node_messages.hpp"

namespace skerry::control {
namespace {

void write(const Revision& revision, v1::Revision& written) {
  written.set_epoch(revision.epoch);
  written.set_number(revision.number);
}

ReplicaReport::Role read_role(v1::ReplicaReport::Role role) {
  using Role = ReplicaReport::Role;
  switch (role) {
    case v1::ReplicaReport::FENCED: return Role::fenced;
    case v1::ReplicaReport::FOLLOWER: return Role::follower;
    case v1::ReplicaReport::LEADER: return Role::leader;
    case v1::ReplicaReport::GONE: return Role::gone;
    default: return Role::failed;   // of a newer node: nothing to build on
  }
}

ReplicaReport read_replica(const v1::ReplicaReport& report) {
  ReplicaReport read{.shard = ShardId(report.shard()),
                     .role = read_role(report.role()),
                     .term = Term(report.term()),
                     .version = MembershipVersion(report.version()),
                     .serving = report.serving(),
                     .sealed = report.sealed(),
                     .confirmed = std::nullopt,
                     .head = Offset(report.head()),
                     .commit = Offset(report.commit()),
                     .followers = {},
                     .bytes = report.bytes(),
                     .reads = report.reads(),
                     .writes = report.writes(),
                     .reason = report.reason()};
  if (report.has_confirmed()) read.confirmed = MembershipVersion(report.confirmed());
  for (const auto& each : report.followers()) {
    read.followers.push_back({NodeId(each.node()), Offset(each.matched()), each.streaming()});
  }
  return read;
}

NodeUsage read_usage(const v1::Usage& usage) {
  return {.cpu = usage.cpu(),
          .memory_bytes = usage.memory_bytes(),
          .disk_bytes = usage.disk_bytes(),
          .disk_free_bytes = usage.disk_free_bytes(),
          .reads_per_second = usage.reads_per_second(),
          .writes_per_second = usage.writes_per_second(),
          .stalls = usage.stalls()};
}

}  // namespace

Greeting read(const v1::Greeting& greeting) {
  Greeting read{.incarnation = replica::Incarnation(greeting.incarnation()),
                .pool = greeting.pool(),
                .version = greeting.version(),
                .bound = std::nullopt,
                .damage = greeting.damage(),
                .kept_aside = greeting.kept_aside()};
  if (greeting.bound()) read.bound = NodeId(greeting.node());
  return read;
}

NodeReport read(const v1::Report& report) {
  NodeReport read;
  for (const auto& each : report.replicas()) {
    if (is_possible(Term(each.term()))) read.replicas.push_back(read_replica(each));
  }
  if (report.has_usage()) read.usage = read_usage(report.usage());
  read.disk_silence = std::chrono::milliseconds(report.disk_silence_ms());
  for (const std::uint32_t node : report.unheard()) read.unheard.emplace_back(node);
  read.damage = report.damage();
  return read;
}

v1::Usage write(const NodeUsage& usage) {
  v1::Usage written;
  written.set_cpu(usage.cpu);
  written.set_memory_bytes(usage.memory_bytes);
  written.set_disk_bytes(usage.disk_bytes);
  written.set_disk_free_bytes(usage.disk_free_bytes);
  written.set_reads_per_second(usage.reads_per_second);
  written.set_writes_per_second(usage.writes_per_second);
  written.set_stalls(usage.stalls);
  return written;
}

v1::Nodes write(const NodeAddresses& nodes) {
  v1::Nodes written;
  write(nodes.revision, *written.mutable_revision());
  for (const auto& each : nodes.nodes) {
    auto& node = *written.add_nodes();
    node.set_node(each.node.value());
    node.set_internal(each.internal_address);
  }
  return written;
}

v1::Holdings write(const Holdings& holdings) {
  v1::Holdings written;
  write(holdings.revision, *written.mutable_revision());
  for (const auto& each : holdings.replicas) {
    auto& replica = *written.add_replicas();
    replica.set_shard(each.shard.value());
    replica.set_namespace_(each.name_space);
    replica.set_key_order(write(each.order));
    replica.set_notifications(each.notifications);
  }
  return written;
}

v1::Assignments write(const Assignments& assignments) {
  v1::Assignments written;
  write(assignments.revision, *written.mutable_revision());
  for (const auto& [name, shards] : assignments.namespaces) {
    auto& space = *written.add_namespaces();
    space.set_name(name);
    for (const auto& each : shards) {
      auto& shard = *space.add_shards();
      shard.set_shard(each.shard.value());
      shard.set_hash_min(each.hashes.min);
      shard.set_hash_max(each.hashes.max);
      if (each.leader) shard.set_leader(each.leader->value());
      if (each.leader) shard.set_leader_public(each.leader_public_address);
    }
  }
  for (const auto& each : assignments.authorities) written.add_allowed_authorities(each);
  return written;
}

v1::NewTermRequest write(ShardId shard, const FenceReplica& fence) {
  v1::NewTermRequest request;
  request.set_shard(shard.value());
  request.set_namespace_(fence.name_space);
  request.set_key_order(write(fence.order));
  request.set_notifications(fence.notifications);
  request.set_term(fence.term.term.value());
  request.set_version(fence.term.version.value());
  return request;
}

}  // namespace skerry::control
