// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>

#include "base/time.hpp"
#include "replica/rules.hpp"
#include "runtime/random.hpp"
#include "sim/trace.hpp"
#include "sim/troubles.hpp"

namespace skerry::sim {

// Mistakes of a coordinator, which the replicas can't see and the simulation must.
enum class Mistake : std::uint8_t {
  none,
  heads_of_leaving_ignored,   // elects among those that stay
  highest_offset_leads,       // whatever its term
  step_without_confirmation,  // the next membership before the last was confirmed
  one_majority_while_joint,   // of the new voters
  lease_wait_forgotten,
};

// Mistakes with splits and merges, of nodes and of the coordinator's core; the simulation must see them too.
enum class ReshapeMistake : std::uint8_t {
  none,
  answered_before_synced,
  lease_wait_forgotten,     // of the parents' leaders
};

// How hard the life of a group is. Drawn from the seed: most runs know only some of the troubles, so that each is met alone too,
// and some have those together that try one part of the rules.
struct Plan : Troubles {
  int nodes = 3, shards = 1, voters = 3;
  Duration election_every = 1s, change_every = 0s;
  bool two_coordinators = false;
  double leader_left_out = 0;   // of elections: the last leader is not asked
  Duration read_every = 3ms;
  Duration trim_every = 0s;
  double applied_late = 0;

  Duration reshape_every = 0s;   // splits and merges; 0: never
  int shard_ids = 1;   // that there may ever be

  static Plan draw(Random& random);
  // What only the coordinator's core can do; by chance of its own, so that the rest of a seed's life is the same.
  void draw_reshapes(Random& random);

 private:
  void try_leases(Random& random);
  void try_durability(Random& random);
  void try_membership(Random& random);
};

struct GroupSimOptions {
  std::uint64_t seed = 1;
  std::optional<replica::Rule> broken = std::nullopt;
  Mistake mistake = Mistake::none;
  ReshapeMistake reshape_mistake = ReshapeMistake::none;   // with the coordinator's core
  bool real_coordinator = false;   // the coordinator's core, instead of one that is mad
  Trace::Print print = Trace::Print::no;
};

}   // namespace skerry::sim
