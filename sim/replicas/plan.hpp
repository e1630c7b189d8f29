// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>

#include "base/time.hpp"
#include "replica/rules.hpp"
#include "runtime/random.hpp"

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
struct Plan {
  int nodes = 3, shards = 1, voters = 3;
  Duration chaos = 3s;

  double lost = 0, doubled = 0, late = 0;   // of messages
  Duration delay_max = 1ms, lateness_max = 200ms;
  Duration partition_every = 0s, crash_every = 0s, pause_every = 0s, slow_disk_every = 0s;   // 0: never
  bool one_way = false;   // partitions
  double restarts_at_once = 0.5;   // of crashes
  bool clocks_differ = false;

  Duration election_every = 1s, change_every = 0s;
  bool two_coordinators = false;
  double leader_left_out = 0;   // of elections: the last leader is not asked
  Duration write_every = 4ms, read_every = 3ms;
  Duration trim_every = 0s;
  double applied_late = 0;
  double bad_moments = 0;   // crashes and silences just when a node has said something that counts

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
  bool print = false;
};

}   // namespace skerry::sim
