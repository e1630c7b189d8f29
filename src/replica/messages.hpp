// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <vector>

#include "base/time.hpp"
#include "replica/membership.hpp"

// What replicas, their nodes and the coordinator say to each other, as values. Any of it may be lost, doubled, late or reordered.
// Which shard and which node a message is of and for, and the bytes of entries, stand around it on the wire.
namespace skerry::replica {

using Incarnation = StrongId<struct IncarnationTag, std::uint64_t>;   // of a node; rises with each start of its process

// --- from the coordinator, and the answers

struct NewTerm {
  Term term;
  MembershipVersion version{0};
};

struct NewTermAnswer {
  Term term;
  EntryId head;
  Offset applied = no_offset;
  // The entry at its head is of a term in which it served clients as the leader, in this life, and does no more. When that is
  // also the newest term among the heads of a majority, nobody else can be serving: the promises need not be waited out.
  bool served = false;
  Duration promised{};   // what is left of its promise to the shard's last leader
};

struct BecomeLeader {
  struct Head {
    NodeId node;
    EntryId head;
  };
  Term term;
  Membership membership{};
  std::vector<Head> heads{};   // of all that were fenced
  Duration lease_wait{};   // from when it takes this until it may serve
};

struct ChangeMembers {
  Term term;
  Membership membership{};
};

// --- from the leader, and the answers

// Entries that follow `previous`, all of one term; none when `last` is the previous offset.
struct Append {
  Term term;
  MembershipVersion version{0};
  EntryId previous{};
  Term entries_term = no_term;
  Offset last = no_offset;
  Offset commit = no_offset;

  Offset first() const { return previous.offset.next(); }
  bool empty() const { return last == previous.offset; }
};

struct AppendAnswer {
  enum class Kind : std::uint8_t {
    matched,   // equal to the leader's log up to `matched`, and durable
    missing,   // has no such previous entry
    fenced,   // knows a higher term
  };
  Kind kind = Kind::matched;
  Term term;   // the follower's
  Incarnation incarnation;
  MembershipVersion version{0};   // durable
  Offset matched = no_offset;
  Offset commit = no_offset;   // the follower's
  Offset missing = no_offset;   // the previous offset that was asked for
  EntryId newest{};   // and its newest entry that the leader may have
};

// Heads the stream of a snapshot: the state after this entry.
struct SnapshotHeader {
  Term term;
  MembershipVersion version{0};
  EntryId entry;
};

// --- between the nodes of a pair

// Of a shard whose replica here was fenced from a leader on the other node.
struct FencedNews {
  ShardId shard;
  Term term;   // the new one
  friend bool operator==(const FencedNews&, const FencedNews&) = default;
};

struct Heartbeat {
  Incarnation incarnation;   // of the asker
  std::uint64_t number = 0;
  Incarnation news_from{};   // whose news, up to which number, the asker has acted on
  std::uint64_t news_up_to = 0;
};

struct HeartbeatAnswer {
  Incarnation to;   // the asker's
  std::uint64_t number = 0;   // of the heartbeat
  Incarnation incarnation;   // of the answerer
  std::uint64_t news_up_to = 0;
  bool complete = true;   // there is no more news: the promise counts
  std::vector<FencedNews> news{};
};

}   // namespace skerry::replica
