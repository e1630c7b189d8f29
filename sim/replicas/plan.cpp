// SPDX-License-Identifier: Apache-2.0
#include "sim/replicas/plan.hpp"

namespace skerry::sim {

Plan Plan::draw(Random& random) {
  Plan plan;
  plan.nodes = one_of(random, {3, 3, 4, 5, 5, 7});
  plan.shards = one_of(random, {1, 1, 2});
  plan.voters = std::min(plan.nodes, one_of(random, {1, 3, 3, 3, 5}));
  plan.chaos = one_of<Duration>(random, {1s, 2s, 3s});
  plan.lost = one_of(random, {0.0, 0.0, 0.01, 0.1, 0.3});
  plan.doubled = one_of(random, {0.0, 0.02, 0.1});
  plan.late = one_of(random, {0.0, 0.0, 0.02, 0.1});
  plan.delay_max = one_of<Duration>(random, {300us, 1ms, 5ms, 20ms, 60ms});
  plan.lateness_max = one_of<Duration>(random, {30ms, 200ms, 1s});
  plan.partition_every = one_of<Duration>(random, {0s, 150ms, 400ms});
  plan.one_way = random.chance(0.4);
  plan.crash_every = one_of<Duration>(random, {0s, 100ms, 300ms, 800ms});
  plan.restarts_at_once = one_of(random, {0.1, 0.5, 0.9});
  plan.pause_every = one_of<Duration>(random, {0s, 0s, 200ms});
  plan.slow_disk_every = one_of<Duration>(random, {0s, 0s, 100ms, 300ms});
  plan.clocks_differ = random.chance(0.6);
  plan.election_every = one_of<Duration>(random, {60ms, 150ms, 400ms, 1s});
  plan.change_every = one_of<Duration>(random, {0s, 40ms, 150ms, 400ms});
  plan.two_coordinators = random.chance(0.5);
  plan.write_every = one_of<Duration>(random, {1ms, 4ms, 20ms});
  plan.read_every = one_of<Duration>(random, {1ms, 4ms});
  plan.trim_every = one_of<Duration>(random, {0s, 20ms, 100ms});
  plan.applied_late = one_of(random, {0.0, 0.0, 0.3});
  plan.bad_moments = one_of(random, {0.0, 0.05, 0.2, 0.4});
  plan.leader_left_out = one_of(random, {0.0, 0.2, 0.6});
  switch (random.below(5)) {
    case 0: plan.try_leases(random); break;
    case 1: plan.try_durability(random); break;
    case 2: plan.try_membership(random); break;
    default: break;
  }
  plan.shard_ids = plan.shards;
  return plan;
}

void Plan::draw_reshapes(Random& random) {
  reshape_every = one_of<Duration>(random, {0s, 100ms, 300ms, 300ms, 800ms});
  shard_ids = shards + 24;
}

// Leaders that are cut off and still count on somebody, while others elect without them.
void Plan::try_leases(Random& random) {
  nodes = voters = one_of(random, {3, 3, 5});
  shards = one_of(random, {1, 2});
  chaos = 3s;
  late = one_of(random, {0.0, 0.3});
  lateness_max = 90ms;
  lost = one_of(random, {0.0, 0.1, 0.3});
  delay_max = one_of<Duration>(random, {300us, 5ms, 60ms});
  partition_every = one_of<Duration>(random, {60ms, 200ms});
  crash_every = one_of<Duration>(random, {0s, 40ms, 150ms});
  restarts_at_once = 0.95;
  slow_disk_every = pause_every = change_every = 0s;
  election_every = one_of<Duration>(random, {100ms, 200ms});
  leader_left_out = 0.7;
  clocks_differ = true;
  bad_moments = one_of(random, {0.2, 0.6});
  write_every = read_every = 1ms;
}

// Disks that take long, and crashes before they have.
void Plan::try_durability(Random& random) {
  nodes = voters = 3;
  crash_every = one_of<Duration>(random, {50ms, 150ms});
  restarts_at_once = 0.95;
  slow_disk_every = 30ms;
  doubled = late = lost = one_of(random, {0.05, 0.2});
  lateness_max = 30ms;
  election_every = one_of<Duration>(random, {60ms, 120ms});
  leader_left_out = 0.6;
  bad_moments = 0.4;
  write_every = 1ms;
  partition_every = 200ms;
}

// Steps as fast as they go, given up as often as not, with few nodes that are up to date.
void Plan::try_membership(Random& random) {
  nodes = one_of(random, {4, 5});
  voters = one_of(random, {1, 3});
  change_every = one_of<Duration>(random, {15ms, 40ms});
  election_every = one_of<Duration>(random, {100ms, 300ms});
  slow_disk_every = one_of<Duration>(random, {0s, 40ms});
  partition_every = one_of<Duration>(random, {0s, 80ms});
  crash_every = one_of<Duration>(random, {0s, 100ms});
  lost = one_of(random, {0.0, 0.05});
  late = one_of(random, {0.0, 0.1});
  leader_left_out = 0.6;
  bad_moments = one_of(random, {0.1, 0.4});
  write_every = 1ms;
}

}  // namespace skerry::sim
