// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>

#include "base/time.hpp"
#include "control/raft_rules.hpp"
#include "runtime/random.hpp"
#include "sim/trace.hpp"
#include "sim/troubles.hpp"

namespace skerry::sim {

// How hard the life of a few coordinators is. Drawn from the seed: most runs know only some of the troubles, so that each is met
// alone too, and some have those together that try one part of the rules.
struct RaftPlan : Troubles {
  std::uint32_t members = 3;
  Duration resign_every = 0s, sit_every = 0s, snapshot_every = 0s;
  std::size_t message_entries_max = 1000;
  double single_links = 0.3;   // of partitions

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
  Trace::Print print = Trace::Print::no;
};

}   // namespace skerry::sim
