// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>

#include "control/desk.hpp"

namespace skerry::control {

// How an election should end, if it can.
struct ElectionWish {
  std::string why;                   // for people: "n1 has failed"
  std::optional<NodeId> preferred;   // leads if nobody's head is higher
  // Not to lead; it may still have to, when there is no majority without it.
  std::optional<NodeId> shunned;
};

// How long somebody may still serve, after these have been fenced.
Duration lease_wait(const std::map<NodeId, replica::NewTermAnswer>& answers);

// Carries elections out: the term is stored, the members are fenced, the one with the highest head is told to lead. One of each
// shard at a time, and few enough at once; the others wait their turn. An election that finds no majority is given up: whoever
// watches the leaders begins another when there is one.
class Elections {
 public:
  explicit Elections(Desk& desk) : desk_(desk) {}

  // Requires: a majority of every set of voters answers. One that is under way goes on as it was begun.
  void begin(ShardId shard, ElectionWish wish);
  void look(ShardId shard);
  void forget(ShardId shard);   // its shard is not to be led any more
  bool is_running(ShardId shard) const { return running_.contains(shard) || waiting_.contains(shard); }
  // Whoever gets the lead of it serves only after so long: until then there may be who serves what it was made of.
  void bar(ShardId shard, Duration wait) { barred_[shard] = {wait, desk_.now + 2 * wait}; }
  void replied(const NodeCall& call, const NodeReply& reply);
  // A replica says itself that it leads.
  void reported(ShardId shard, NodeId node, const ReplicaReport& report);
  // Shards that have been given a leader since the last time.
  std::vector<ShardId> take_finished() { return std::exchange(finished_, {}); }
  // What an election waits for; empty: there is none.
  std::string why_not_yet(ShardId shard) const;

 private:
  enum class Stage : std::uint8_t { pausing, storing, fencing, telling };
  struct Asked {
    bool out = false;
    TimePoint again_at = TimePoint::min();
    std::string refusal;   // in this term
  };
  struct Election {
    ElectionWish wish;
    Stage stage = Stage::storing;
    TimePoint resume_at;   // when pausing
    int attempts = 0;
    CommitNumber stored_by{0};   // the term
    Term term;
    std::optional<NodeId> former;   // led until now
    std::map<NodeId, Asked> asked;
    std::map<NodeId, replica::NewTermAnswer> answers;
    std::optional<TimePoint> majority_at;
    NodeId chosen;
    replica::BecomeLeader telling;
    Asked told;
    TimePoint telling_until;
    std::string trouble;   // of the attempt before
  };

  void start(ShardId shard, Election& election);
  void announce(ShardId shard, Election& election);
  void fence(ShardId shard, Election& election);
  void ask(ShardId shard, Election& election, NodeId node, Asked& asked);
  bool has_majority(const ShardStatus& shard, const Election& election) const;
  bool may_have_majority(const ShardStatus& shard, const Election& election) const;
  bool have_all_answered(const Election& election) const;
  void choose(ShardId shard, Election& election);
  NodeId best_of(const ShardStatus& shard, const Election& election,
                 const std::map<NodeId, replica::NewTermAnswer>& counted) const;
  void tell(ShardId shard, Election& election);
  void again(ShardId shard, Election& election, std::string trouble);
  void finish(ShardId shard);
  void give_up(ShardId shard);
  void begin_waiting();

  void take(ShardId shard, Election& election, const NodeCall& call, const NodeReply& reply);
  void take_fence(ShardId shard, Election& election, NodeId from, const NodeReply& reply);
  void take_telling(ShardId shard, Election& election, const NodeReply& reply);

  Desk& desk_;
  std::map<ShardId, Election> running_;
  std::map<ShardId, ElectionWish> waiting_;
  std::map<ShardId, std::pair<Duration, TimePoint>> barred_;   // until then
  std::map<ShardId, Term> known_;   // the highest that a replica refused with
  std::map<NodeId, int> promised_;   // leaderships that nodes are being told of
  std::vector<ShardId> finished_;
};

}   // namespace skerry::control
