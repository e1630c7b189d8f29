// SPDX-License-Identifier: Apache-2.0
#include "sim/raft/plan.hpp"

namespace skerry::sim {

RaftPlan RaftPlan::draw(Random& random) {
  RaftPlan plan;
  plan.members = one_of(random, {1U, 3U, 3U, 3U, 5U, 5U});
  plan.chaos = one_of<Duration>(random, {3s, 6s, 10s});
  plan.lost = one_of(random, {0.0, 0.0, 0.01, 0.1, 0.3});
  plan.doubled = one_of(random, {0.0, 0.02, 0.1});
  plan.late = one_of(random, {0.0, 0.0, 0.02, 0.1});
  plan.delay_max = one_of<Duration>(random, {300us, 1ms, 5ms, 20ms, 60ms});
  plan.lateness_max = one_of<Duration>(random, {30ms, 200ms, 2s});
  plan.partition_every = one_of<Duration>(random, {0s, 300ms, 1s});
  plan.one_way = random.chance(0.4);
  plan.crash_every = one_of<Duration>(random, {0s, 400ms, 1s, 2s});
  plan.restarts_at_once = one_of(random, {0.1, 0.5, 0.9});
  plan.pause_every = one_of<Duration>(random, {0s, 0s, 500ms});
  plan.slow_disk_every = one_of<Duration>(random, {0s, 0s, 200ms, 600ms});
  plan.clocks_differ = random.chance(0.6);
  plan.resign_every = one_of<Duration>(random, {0s, 0s, 400ms, 1s});
  plan.sit_every = one_of<Duration>(random, {0s, 0s, 1s});
  plan.write_every = one_of<Duration>(random, {1ms, 4ms, 20ms});
  plan.snapshot_every = one_of<Duration>(random, {0s, 20ms, 100ms});
  plan.bad_moments = one_of(random, {0.0, 0.05, 0.2, 0.4});
  plan.message_entries_max = one_of<std::size_t>(random, {4, 1000, 1000});
  switch (random.below(6)) {
    case 0: plan.try_leases(random); break;
    case 1: plan.try_durability(random); break;
    case 2: plan.try_short_terms(random); break;
    case 3: plan.try_votes(random); break;
    default: break;
  }
  return plan;
}

// Leaders that are cut off and still count on somebody, while others elect without them.
void RaftPlan::try_leases(Random& random) {
  members = one_of(random, {3U, 3U, 5U});
  chaos = 10s;
  lost = one_of(random, {0.0, 0.05, 0.2});
  late = one_of(random, {0.0, 0.3});
  lateness_max = 250ms;
  delay_max = one_of<Duration>(random, {300us, 5ms, 60ms});
  partition_every = one_of<Duration>(random, {150ms, 400ms, 1200ms});
  single_links = one_of(random, {0.2, 0.8});
  crash_every = one_of<Duration>(random, {0s, 150ms, 500ms});
  restarts_at_once = 0.95;
  slow_disk_every = pause_every = sit_every = 0s;
  clocks_differ = true;
  bad_moments = one_of(random, {0.1, 0.4});
  resign_every = 0s;
  write_every = one_of<Duration>(random, {4ms, 700ms, 3s});   // who has missed an entry is not elected anyway
}

// Disks that take long, and crashes before they have.
void RaftPlan::try_durability(Random& random) {
  members = one_of(random, {3U, 3U, 5U});
  crash_every = one_of<Duration>(random, {200ms, 600ms});
  restarts_at_once = 0.95;
  slow_disk_every = 60ms;
  doubled = late = lost = one_of(random, {0.02, 0.1});
  lateness_max = one_of<Duration>(random, {30ms, 1s});
  bad_moments = 0.4;
  write_every = 1ms;
  partition_every = one_of<Duration>(random, {0s, 400ms});
  resign_every = one_of<Duration>(random, {0s, 300ms});
}

// Leaders that come and go before much of theirs is anywhere else.
void RaftPlan::try_short_terms(Random& random) {
  members = one_of(random, {3U, 5U, 5U});
  chaos = 10s;
  crash_every = one_of<Duration>(random, {0s, 500ms});
  restarts_at_once = 0.9;
  resign_every = one_of<Duration>(random, {50ms, 120ms});
  partition_every = one_of<Duration>(random, {0s, 120ms});
  slow_disk_every = one_of<Duration>(random, {0s, 100ms});
  lost = one_of(random, {0.0, 0.1, 0.3});
  late = one_of(random, {0.0, 0.2, 0.5});
  lateness_max = one_of<Duration>(random, {100ms, 1s, 3s});
  delay_max = one_of<Duration>(random, {1ms, 20ms});
  bad_moments = one_of(random, {0.1, 0.4});
  snapshot_every = one_of<Duration>(random, {0s, 20ms});
  write_every = 4ms;
  message_entries_max = 1;   // so that old entries and the barrier part
}

// Voters that die when they have voted, and messages of leaders that come when others lead.
void RaftPlan::try_votes(Random& random) {
  members = 3;
  chaos = 10s;
  resign_every = one_of<Duration>(random, {120ms, 400ms});
  crash_every = pause_every = sit_every = 0s;
  slow_disk_every = one_of<Duration>(random, {30ms, 200ms});
  late = one_of(random, {0.1, 0.3, 0.6});
  lateness_max = one_of<Duration>(random, {300ms, 1s, 2s});
  delay_max = one_of<Duration>(random, {300us, 5ms, 20ms});
  lost = one_of(random, {0.0, 0.1});
  partition_every = one_of<Duration>(random, {0s, 300ms, 1s});
  single_links = 0.9;
  bad_moments = 0.7;
  write_every = one_of<Duration>(random, {2ms, 200ms});
}

}  // namespace skerry::sim
