// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "replica/messages.hpp"

namespace skerry::replica {

// What a leader knows of one follower, and how much it may send it.
//   probing     where their logs part is not known: one message, then wait for its answer
//   streaming   pipelined, bounded by entries and bytes in flight
//   snapshot    the log no longer holds what it needs: nothing, until it says what it has
class FollowerProgress {
 public:
  enum class Mode : std::uint8_t { probing, streaming, snapshot };

  FollowerProgress(NodeId node, Offset next) : node_(node), next_(next) {}

  NodeId node() const { return node_; }
  Mode mode() const { return mode_; }
  Offset next() const { return next_; }         // to be sent
  Offset matched() const { return matched_; }   // durable there, as it said in this term
  Offset commit() const { return commit_; }     // as far as it has said that it knows it
  MembershipVersion version() const { return version_; }
  Incarnation acknowledged_in() const { return acknowledged_in_; }   // its life in which it last answered in this term; 0: none
  std::size_t entries_in_flight() const { return static_cast<std::size_t>(next_.value() - matched_.value() - 1); }
  std::size_t bytes_in_flight() const { return bytes_; }

  // Whether another message may go out.
  bool has_room() const;
  // Whether it lacks something that a message would bring. `last`, `commit` and `version` are the leader's.
  bool lacks(Offset last, MembershipVersion version) const;
  bool lacks_commit(Offset commit) const { return commit_sent_ < commit; }

  void sent(const Append& append, std::size_t bytes, TimePoint now);
  void heard(const AppendAnswer& answer, TimePoint now);   // before one of the next two
  void matched_to(Offset offset);
  void missing(Offset asked, Offset next);   // its log lacks what was before; go on from there
  void begin_snapshot();
  void end_snapshot(std::optional<Offset> installed);
  void probe();   // what is in flight may be lost

  // When to probe if nothing is heard; TimePoint::max() while nothing is waited for.
  TimePoint patience_ends() const;

 private:
  struct Message {
    Offset last;
    std::size_t bytes;
  };
  bool waits() const;
  void forget_in_flight();

  NodeId node_;
  Mode mode_ = Mode::probing;
  bool asked_ = false;   // probing: a message is out
  Offset asked_after_ = no_offset;   // its previous offset
  Offset next_;
  Offset matched_ = no_offset;
  Offset commit_ = no_offset, commit_sent_ = no_offset;
  MembershipVersion version_{-1}, version_sent_{-1};
  Incarnation acknowledged_in_;
  TimePoint waits_since_;
  // With entries, sent and not acknowledged, oldest at `oldest_`. The space is used again.
  std::vector<Message> messages_;
  std::size_t oldest_ = 0;
  std::size_t bytes_ = 0;
};

}   // namespace skerry::replica
