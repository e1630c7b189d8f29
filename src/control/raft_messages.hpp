// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "replica/membership.hpp"

// What coordinators say to each other to agree on a log, as values. Any of it may be lost, doubled, late or reordered.
namespace skerry::control {

using replica::EntryId;
using RaftMember = StrongId<struct RaftMemberTag, std::uint32_t>;   // place in the sorted list of coordinators

struct RaftEntry {
  Term term;
  std::shared_ptr<const Bytes> payload;   // empty: a term begins
};

// --- elections

struct RaftVote {
  enum class Ballot : std::uint8_t {
    trial,     // would you? Nobody's term rises for the asking
    binding,
  };
  Ballot ballot = Ballot::trial;
  Term term;   // in which the asker wants to lead
  EntryId head{};   // of its log
};

struct RaftVoteAnswer {
  RaftVote::Ballot ballot = RaftVote::Ballot::trial;
  bool granted = false;
  Term term;   // the asked one if granted, otherwise the voter's
};

// --- from the leader, and the answers. `sent` is the leader's own clock when it sent this, and comes back with the answer.

// Entries that follow `previous`; none: a heartbeat.
struct RaftAppend {
  Term term;
  EntryId previous{};
  std::vector<RaftEntry> entries{};
  Offset commit = no_offset;
  TimePoint sent{};

  Offset last() const { return Offset(previous.offset.value() + static_cast<std::int64_t>(entries.size())); }
};

// The state after this entry.
struct RaftSnapshot {
  Term term;
  EntryId entry{};
  std::shared_ptr<const Bytes> state{};   // the driver's
  TimePoint sent{};
};

struct RaftAppendAnswer {
  enum class Kind : std::uint8_t {
    matched,   // equal to the leader's log up to `matched`, and durable up to there
    missing,   // has no such previous entry
    older,     // knows a higher term
  };
  Kind kind = Kind::matched;
  Term term;   // the follower's
  Offset matched = no_offset;
  Offset received = no_offset;   // equal up to here, durable or not
  Offset missing = no_offset;   // the previous offset that was asked for
  EntryId newest{};   // and its newest entry that the leader may have
  TimePoint sent{};
};

// The leader of this term leads no more and asks for no patience.
struct RaftGaveUp {
  Term term;
};

using RaftMessage = std::variant<RaftVote, RaftVoteAnswer, RaftAppend, RaftSnapshot, RaftAppendAnswer, RaftGaveUp>;

}   // namespace skerry::control
