// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/desk.hpp"
#include "control/elections.hpp"
#include "control/member_steps.hpp"

namespace skerry::control {

// Splits shards and merges neighbours: takes parents through the phases of ReshapeStatus to their children, by the rules of
// docs/adr/0017. Until the copies stand on a majority anything that goes wrong gives the reshape up, and the parents go on. Each
// phase is stored before a node hears of it, and begun anew by whoever takes office meanwhile.
class Reshapes {
 public:
  Reshapes(Desk& desk, Elections& elections, MemberSteps& steps) : desk_(desk), elections_(elections), steps_(steps) {}

  void take_office();

  // --- wishes: the children. They fail with invalid_argument, unavailable or resource_exhausted; the text says what to do.
  // `point` is the first hash of the right child; nothing: the middle.
  Result<std::vector<ShardId>> split(ShardId shard, std::optional<std::uint32_t> point);
  Result<std::vector<ShardId>> merge(ShardId left, ShardId right);

  // Gives up what the shard is part of, as a parent or a child. Fails with invalid_argument where there is no reshape, or no way
  // back.
  Result<> cancel(ShardId shard);
  // One that is still being prepared is given up for what is more urgent; nothing if there is none.
  void make_way(ShardId shard, const std::string& why);

  void look(ShardId shard);
  void forget(ShardId shard);
  void replied(const NodeCall& call, const NodeReply& reply);

  // What the reshape that the shard is part of waits for; empty: it is part of none.
  std::string why_not_yet(ShardId shard) const;
  std::string why_given_up(ShardId shard) const;   // the last one of it; empty: it was not

 private:
  using Phase = ReshapeStatus::Phase;
  struct Asked {
    bool out = false, done = false;
    TimePoint again_at = TimePoint::min();
    int refusals = 0;
    std::string trouble;   // at the last try
  };
  struct Seal {
    Term term = no_term;
    Asked asked;
    std::optional<replica::EntryId> head;
  };
  struct Fences {
    std::map<NodeId, Asked> asked;
    std::map<NodeId, replica::NewTermAnswer> answers;
  };
  // On one phase of a reshape, in this term of office.
  struct Work {
    Phase phase = Phase::preparing;
    TimePoint since;
    std::map<NodeId, Asked> copies;   // prepared, then finished
    std::map<ShardId, Seal> seals;
    std::map<ShardId, Fences> fences;
    std::map<ShardId, NodeId> formers;   // who led the parents last
  };

  Result<> check_parent(ShardId shard) const;
  Result<std::vector<ShardId>> begin(std::vector<ShardId> parents, std::vector<HashRange> ranges);
  Work& work_of(ShardId first);
  ReshapeStatus& edit(ShardId first) { return *desk_.book.edit(first).reshape; }
  const ReshapeStatus& of(ShardId first) const { return *desk_.book.find(first)->reshape; }
  bool is_stored(ShardId first);   // else it will be looked at when it is
  bool may_ask(ShardId first, NodeId node, Asked& asked);
  void note_failure(ShardId first, Asked& asked, const NodeReply& reply);
  Reshape asked_for(ShardId first) const;

  // --- preparing
  void prepare(ShardId first, Work& work);
  bool bring_together(ShardId first);
  bool may_seal(ShardId first) const;
  bool have_prepared(ShardId first, const Work& work) const;
  std::string why_hopeless(ShardId first, const Work& work) const;
  // --- sealing
  void seal(ShardId first, Work& work);
  void lift_stray_seal(ShardId shard);
  void fence_parents(ShardId first, Work& work);
  // --- reshaping
  void reshape(ShardId first, Work& work);
  void fence(ShardId first, ShardId parent, Work& work);
  bool stands_at_heads(ShardId first, const Work& work, NodeId node) const;
  bool is_beside_heads(ShardId first, const Work& work, NodeId node) const;
  template <class Predicate>
  bool has_majority(ShardId first, Predicate has) const;
  void elect_children(ShardId first, Work& work);
  // --- electing
  void elect(ShardId first);
  void swap(ShardId first);

  void give_up(ShardId first, const std::string& why);
  void take_copy(const NodeCall& call, const Reshape& asked, const NodeReply& reply);
  void take_seal(const NodeCall& call, const NodeReply& reply);
  void take_fence(const NodeCall& call, const NodeReply& reply);

  std::string words_for(const ReshapeStatus& reshape) const;   // "the split into shards 3 and 4"
  std::string why_preparing(ShardId first) const;
  std::string waits_for(ShardId first) const;
  std::string missing(const std::map<NodeId, Asked>& asked, ShardId first) const;

  Desk& desk_;
  Elections& elections_;
  MemberSteps& steps_;
  std::map<ShardId, Work> works_;
  std::map<ShardId, std::pair<Term, Asked>> stray_seals_;   // to be lifted
  std::map<ShardId, std::string> given_up_;
};

}   // namespace skerry::control
