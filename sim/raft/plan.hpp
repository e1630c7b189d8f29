// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>

#include "base/time.hpp"
#include "control/raft_rules.hpp"
#include "runtime/random.hpp"

namespace skerry::sim {

// How hard the life of a few coordinators is. Drawn from the seed: most runs know only some of the troubles, so that each is met
// alone too, and some have those together that try one part of the rules.
struct RaftPlan {
  std::uint32_t members = 3;
  Duration chaos = 10s;

  double lost = 0, doubled = 0, late = 0;   // of messages
  Duration delay_max = 1ms, lateness_max = 200ms;
  Duration partition_every = 0s, crash_every = 0s, pause_every = 0s, slow_disk_every = 0s;   // 0: never
  bool one_way = false;   // partitions
  double restarts_at_once = 0.5;   // of crashes
  bool clocks_differ = false;
  Duration resign_every = 0s, sit_every = 0s;
  Duration write_every = 4ms, snapshot_every = 0s;
  std::size_t message_entries_max = 1000;
  double single_links = 0.3;   // of partitions
  double bad_moments = 0;   // crashes and silences just when a member has said something that counts

  static RaftPlan draw(Random& random);

 private:
  void try_leases(Random& random);
  void try_durability(Random& random);
  void try_short_terms(Random& random);
  void try_votes(Random& random);
};

struct RaftSimOptions {
  std::uint64_t seed = 1;
  std::optional<control::RaftRule> broken = std::nullopt;
  bool print = false;
};

}   // namespace skerry::sim
