// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "replica/messages.hpp"

// What a node says of itself on its standing call, as values.
namespace skerry::control {

struct Greeting {
  replica::Incarnation incarnation;   // rises with each start
  std::string pool;                   // of the process; nodes of one pool share a failure
  std::string version;
  std::optional<NodeId> bound;   // as whom; nobody: it belongs to no cluster, and waits to be bound
  std::string damage{};       // for which it can't open what it keeps; empty: it can
  std::string kept_aside{};   // the folder of the node before it that was damaged; empty: there is none
};

struct ReplicaReport {
  enum class Role : std::uint8_t {
    fenced,
    follower,
    leader,
    gone,     // not held (any more)
    failed,   // can't keep anything: the disk or the log
  };
  struct Follower {
    NodeId node;
    Offset matched = no_offset;
    bool streaming = false;   // takes entries as they come
  };

  ShardId shard;
  Role role = Role::gone;
  Term term = no_term;
  MembershipVersion version{0};
  bool serving = false;                         // a leader with its lease
  bool sealed = false;                          // a leader that takes nothing more into its log
  std::optional<MembershipVersion> confirmed;   // of which a leader knows that all before it is committed
  Offset head = no_offset, commit = no_offset;
  std::vector<Follower> followers;   // of a leader
  std::uint64_t bytes = 0;
  std::uint64_t reads = 0, writes = 0;   // since it was opened
  std::string reason;                    // of a failed one, or of one that can take nothing now
};

struct NodeUsage {
  double cpu = 0;   // of one core
  std::uint64_t memory_bytes = 0;
  std::uint64_t disk_bytes = 0, disk_free_bytes = 0;
  double reads_per_second = 0, writes_per_second = 0;
  std::uint64_t stalls = 0;
};

struct NodeReport {
  std::vector<ReplicaReport> replicas;   // that changed since the last one; after a greeting all
  std::optional<NodeUsage> usage;
  Duration disk_silence{};       // how long the oldest write has been waiting for its sync
  std::vector<NodeId> unheard;   // nodes whose heartbeats have stopped
  std::string damage{};          // found in what it keeps; empty: none
};

}   // namespace skerry::control
