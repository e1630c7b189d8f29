// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <deque>

#include "control/raft_messages.hpp"

namespace skerry::control {

// How far one follower is, as its leader knows. A value; the leader's.
struct RaftPeer {
  enum class State : std::uint8_t {
    probing,     // where the logs part is not known: one message at a time
    streaming,   // takes entries as they come
    installing,  // a snapshot is on its way
  };

  RaftPeer(RaftMember follower, Offset from) : member(follower), next(from) {}

  RaftMember member;
  State state = State::probing;
  Offset next;                  // to be sent
  Offset match = no_offset;     // equal and durable up to here
  TimePoint acknowledged = TimePoint::min();   // when what it answered last was sent
  bool beat_due = true;
  bool waiting = false;         // of a probe: it is out
  TimePoint probed_at = TimePoint::min();   // what it misses of messages from before was settled then
  EntryId snapshot{};           // that is on its way
  TimePoint snapshot_sent{};
  std::size_t bytes_in_flight = 0;

  std::size_t messages_in_flight() const { return in_flight_.size(); }
  void sent(Offset last, std::size_t bytes) {
    next = last.next();
    in_flight_.push_back({last, bytes});
    bytes_in_flight += bytes;
  }
  void matched(Offset offset) {
    match = std::max(match, offset);
    next = std::max(next, match.next());
    while (!in_flight_.empty() && in_flight_.front().last <= match) {
      bytes_in_flight -= in_flight_.front().bytes;
      in_flight_.pop_front();
    }
  }
  // What is on its way may not arrive, or be of no use.
  void probe_from(Offset offset) {
    state = State::probing;
    next = offset;
    waiting = false;
    in_flight_.clear();
    bytes_in_flight = 0;
  }

 private:
  struct Sent {
    Offset last;
    std::size_t bytes;
  };
  std::deque<Sent> in_flight_;
};

}   // namespace skerry::control
