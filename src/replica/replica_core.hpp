// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"

namespace skerry::replica {

using Voter = StrongId<struct VoterTag, std::uint32_t>;   // a replica of the shard, by its place in the shard's configuration

// What a replica's own log and engine held when it started.
struct Recovered {
  Term term = no_term;           // highest recorded
  Offset last = no_offset;       // newest entry of the log, or the engine's offset where the log holds none
  Offset applied = no_offset;    // what the engine stands for
};

// What the driver must do, in this order.
struct Effects {
  std::optional<Offset> lost_above;   // leads no more: fail what is proposed above this, its outcome is unknown
  std::optional<Term> record_term;    // make it durable, then call term_recorded()
  std::optional<Offset> commit;       // apply up to here, then call applied()
  bool propose_barrier = false;       // propose() the first entry of the term
  bool serving = false;               // the barrier is applied: answer clients

  friend bool operator==(const Effects&, const Effects&) = default;
};

// One replica's part in the agreement on a shard's log: terms, votes, the commit offset. Pure: it is told what happened and says
// what to do; it knows no clock, disk, network or entry content.
//
// Its rules: a term is durable before it is used. An acknowledged offset counts as committed only from the barrier of the
// leader's own term on (an entry of an older term that sits on a majority can still be overwritten). The own disk is one vote.
// The one exception: where this replica is the only voter, what its log holds when the term has become durable is committed at
// once, since no other history can exist; so the tail is applied before the barrier is proposed.
class ReplicaCore {
 public:
  enum class Role : std::uint8_t {
    fenced,        // knows a term, leads nothing
    recording,     // makes a new term durable
    recovering,    // leads, but its barrier is not applied yet
    serving,
  };

  ReplicaCore(Voter self, Recovered recovered);

  // Becomes the leader of `term`, elected by `voters` (this one among them). Fails with aborted unless the term is new.
  Result<Effects> lead(Term term, std::vector<Voter> voters);
  Effects term_recorded(Term term);
  // Takes the next offset of the log. Requires: recovering or serving.
  Offset propose();
  // The voter has made all entries up to here durable, as it said in this term. May come late, twice or out of order; what was
  // said in another term may be about other entries, and is ignored.
  Effects persisted(Voter voter, Term term, Offset up_to);
  Effects applied(Offset up_to);
  // Someone was elected in a higher term, or this replica can't keep its log any more. Older terms are ignored.
  Effects fence(Term term);

  Role role() const { return role_; }
  Term term() const { return term_; }
  Offset last() const { return last_; }
  Offset commit() const { return commit_; }
  Offset applied() const { return applied_; }
  Offset barrier() const { return barrier_; }   // no_offset until proposed in this term

 private:
  bool alone() const { return voters_.size() == 1; }
  Offset majority_has() const;
  void commit_to(Offset offset, Effects& effects);

  Voter self_;
  Role role_ = Role::fenced;
  Term term_;
  Offset last_, commit_, applied_;
  Offset barrier_ = no_offset;
  std::vector<Voter> voters_;
  std::map<Voter, Offset> persisted_;   // of this term's voters
};

}  // namespace skerry::replica
