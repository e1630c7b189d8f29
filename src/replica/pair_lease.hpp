// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <deque>

#include "replica/messages.hpp"

namespace skerry::replica {

// What another node has promised to this one, as this one may count it on its own clock.
struct HeldPromise {
  Incarnation incarnation;                // of the life that promised
  TimePoint until = TimePoint::min();
};

// What an answer to a heartbeat brought. To be acted on in the same turn, before any lease is asked for: every shard in the news
// hears of its higher term (ReplicaCore::hear), and where the node has restarted, every leader here that has a follower there
// probes it (ReplicaCore::probe).
struct HeartbeatNews {
  std::vector<FencedNews> fenced;
  bool restarted = false;
};

// Both sides of the heartbeats between this node and one other. The other's promise holds for every shard of this node whose
// follower there has acknowledged this node's term, but for those that it names as fenced. Pure.
class PairLease {
 public:
  explicit PairLease(Incarnation own) : own_(own) {}

  // --- as the one that asks
  Heartbeat heartbeat(TimePoint now);
  HeartbeatNews answered(const HeartbeatAnswer& answer);
  const HeldPromise& held() const { return held_; }

  // --- as the one that promises
  HeartbeatAnswer answer(const Heartbeat& heartbeat, TimePoint now);
  // Until when the other may count on this node; without what a former life of it promised.
  TimePoint given() const { return given_; }
  // From now on the promise is not for this shard, until it follows that node again.
  void fenced(FencedNews news);

 private:
  struct Numbered {
    std::uint64_t number;
    FencedNews news;
  };
  // Older ones can't extend a lease any more.
  static constexpr std::size_t heartbeats_remembered = 8;
  bool remembers(std::uint64_t number) const;

  Incarnation own_;
  std::uint64_t number_ = 0;
  std::array<TimePoint, heartbeats_remembered> sent_{};
  HeldPromise held_;
  std::uint64_t news_taken_ = 0;
  TimePoint given_ = TimePoint::min();
  std::uint64_t news_given_ = 0;
  std::deque<Numbered> news_;   // not confirmed yet
};

}   // namespace skerry::replica
