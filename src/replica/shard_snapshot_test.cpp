// SPDX-License-Identifier: Apache-2.0
// Replicas that lack more than a log still holds are brought up by the state itself.
#include <gtest/gtest.h>

#include "replica/testing/replica_world.hpp"

namespace skerry::replica {
namespace {

using Engines = ReplicaWorld::Options::Engines;

// Logs that keep next to nothing.
ReplicaWorld::Options short_logs(Engines engines) {
  return {
      .engines = engines,
      .housekeeping = ShardGroupOptions{
          .wal_retention_bytes = 20 << 10, .replay_bytes_max = 1 << 20, .checkpoint_interval = 200ms, .trim_interval = 500ms}};
}

struct ShardSnapshotTest : testing::TestWithParam<Engines> {
  ReplicaWorld world{4, short_logs(GetParam())};   // the fourth votes in none of these
  std::uint32_t leader = 0;
  std::vector<std::unique_ptr<PutRequest>> requests;
  int written = 0;

  void elect(std::vector<std::uint32_t> fenced) {
    const auto chosen = world.elect(std::move(fenced), {0, 1, 2});
    ASSERT_TRUE(chosen) << chosen.error().message();
    leader = *chosen;
    ASSERT_TRUE(world.wait([&] { return world.shard(leader).serves(); }));
  }
  void SetUp() override { elect({0, 1, 2}); }

  Ticket propose(Bytes key, Bytes value) {
    const auto& request = requests.emplace_back(std::make_unique<PutRequest>(std::move(key), std::move(value)));
    return world.shard(leader).propose(request->request());
  }
  bool put(Bytes key, Bytes value) {
    if (!world.wait([&] { return world.shard(leader).has_room(); })) return false;
    Ticket ticket = propose(std::move(key), std::move(value));
    return world.wait([&] { return ticket.ready(); }) && ticket.take().has_value();
  }
  // Some more of a state of a few megabytes.
  void write(int records) {
    for (int i = 0; i < records; ++i, ++written) {
      ASSERT_TRUE(put("key" + std::to_string(written * 7919 % 1000), Bytes(6000, static_cast<char>('a' + written % 26))));
    }
  }
  // Until the leader's log begins after what that one has.
  void trim_beyond(std::uint32_t machine) {
    const Offset has = world.shard(machine).status().head.offset;
    for (int rounds = 0; rounds < 20 && world.log(leader).first <= has.next(); ++rounds) {
      write(5);
      world.pass(500ms);
    }
    ASSERT_GT(world.log(leader).first, has.next());
  }
  bool is_level(std::uint32_t machine) {
    return world.up(machine) && world.shard(machine).status().applied == world.shard(leader).commit();
  }
  void expect_equal(std::uint32_t machine) {
    ASSERT_TRUE(world.wait([&] { return is_level(machine) && is_level(leader); }));
    EXPECT_EQ(world.checksum(machine), world.checksum(leader));
  }
  bool is_sent_one(std::uint32_t machine) {
    const auto status = world.shard(leader).status();
    return std::ranges::any_of(status.followers, [&](const auto& each) {
      return each.node == NodeId(machine + 1) && each.mode == FollowerProgress::Mode::snapshot;
    });
  }
  std::uint32_t follower() const { return leader == 0 ? 1 : 0; }
  std::uint32_t other_follower() const { return 3 - leader - follower(); }
};

TEST_P(ShardSnapshotTest, a_follower_behind_a_trimmed_log_catches_up_under_load_and_equals_the_leader) {
  const std::uint32_t away = follower();
  write(50);
  world.cut(away);
  write(400);
  trim_beyond(away);
  world.mend(away);
  std::vector<Ticket> tickets;
  ASSERT_TRUE(world.wait([&] {
    if (tickets.size() < 300) tickets.push_back(propose("load" + std::to_string(tickets.size() % 40), Bytes(1000, 'l')));
    return tickets.size() == 300 && is_level(away);
  }));
  EXPECT_GT(world.blocks_sent_to(away), 4U);
  expect_equal(away);
  write(5);
  expect_equal(away);
}

TEST_P(ShardSnapshotTest, the_log_is_preferred_while_it_has_the_entries) {
  const std::uint32_t away = follower();
  write(20);
  world.cut(away);
  ASSERT_TRUE(put("key", "value"));
  world.mend(away);
  expect_equal(away);
  EXPECT_EQ(world.blocks_sent_to(away), 0U);
}

TEST_P(ShardSnapshotTest, who_took_a_snapshot_has_its_head_and_may_lead) {
  const std::uint32_t away = follower();
  world.cut(away);
  write(200);
  trim_beyond(away);
  world.mend(away);
  ASSERT_TRUE(world.wait([&] { return is_level(away); }));
  const std::uint32_t old = leader;
  const auto chosen = world.elect({0, 1, 2}, {0, 1, 2}, away);
  ASSERT_TRUE(chosen) << chosen.error().message();
  leader = away;
  ASSERT_TRUE(world.wait([&] { return world.shard(leader).serves(); }));
  ASSERT_TRUE(put("after", "it"));
  expect_equal(old);
}

TEST_P(ShardSnapshotTest, a_snapshot_that_is_interrupted_goes_on_where_it_was) {
  const std::uint32_t away = follower();
  world.cut(away);
  write(1000);
  trim_beyond(away);
  world.mend(away);
  const std::uint64_t before = world.blocks_sent_to(away);
  ASSERT_TRUE(world.wait([&] { return world.blocks_sent_to(away) >= before + 12; }));
  world.cut(away);
  world.pass(500ms);
  world.mend(away);
  expect_equal(away);
  // Of about 24 blocks only those on their way were lost.
  EXPECT_LT(world.blocks_sent_to(away), before + 32);
}

TEST_P(ShardSnapshotTest, a_receiver_that_crashes_in_the_middle_is_brought_up_after_its_restart) {
  const std::uint32_t away = follower();
  write(20);
  world.cut(away);
  write(600);
  trim_beyond(away);
  world.mend(away);
  ASSERT_TRUE(world.wait([&] { return world.blocks_sent_to(away) >= 6; }));
  world.crash(away);
  world.pass(300ms);
  ASSERT_TRUE(world.start(away));
  EXPECT_LT(world.shard(away).status().applied, Offset(30));   // the state of before
  expect_equal(away);
  world.crash(away);
  ASSERT_TRUE(world.start(away));
  expect_equal(away);
}

TEST_P(ShardSnapshotTest, a_crash_at_any_moment_of_an_installation_leaves_log_and_engine_of_one_mind) {
  const std::uint32_t away = follower();
  const int rounds = GetParam() == Engines::memory ? 14 : 6;
  for (int round = 0; round < rounds; ++round) {
    SCOPED_TRACE(round);
    world.cut(away);
    write(30);
    trim_beyond(away);
    world.disk(away).faults.sync_takes = 5ms;
    world.mend(away);
    const Offset had = world.shard(away).status().applied;
    ASSERT_TRUE(world.wait([&] { return is_sent_one(away); }));
    if (round % 2 == 0) ASSERT_TRUE(world.wait([&] { return world.shard(away).status().applied > had; }));
    world.pass(Duration(1ms) * (round % 13));
    world.crash(away);
    const auto started = world.start(away);
    ASSERT_TRUE(started) << started.error().message();
    expect_equal(away);
  }
}

TEST_P(ShardSnapshotTest, the_state_is_not_taken_before_the_log_has_synced_that_it_was) {
  const std::uint32_t away = follower();
  write(5);
  world.cut(away);
  write(30);
  trim_beyond(away);
  const Offset had = world.shard(away).status().applied;
  // In memory the engine is on the same slow disk, many times.
  const Duration slow = GetParam() == Engines::memory ? 300ms : 1s;
  world.disk(away).faults.sync_takes = slow;
  world.mend(away);
  ASSERT_TRUE(world.wait([&] { return world.log(away).snapshot > had; }));
  world.pass(slow * 3 / 4);   // the engine is made durable meanwhile
  EXPECT_EQ(world.shard(away).status().applied, had);
  world.crash(away);
  world.disk(away).faults.sync_takes = {};
  const auto started = world.start(away);
  ASSERT_TRUE(started) << started.error().message();
  expect_equal(away);
}

TEST_P(ShardSnapshotTest, a_sender_that_dies_in_the_middle_is_replaced_by_the_next_leader) {
  const std::uint32_t away = follower(), old = leader;
  world.cut(away);
  write(800);
  trim_beyond(away);
  world.mend(away);
  ASSERT_TRUE(world.wait([&] { return world.blocks_sent_to(away) >= 6; }));
  world.crash(old);
  elect({away, other_follower()});
  ASSERT_NE(leader, away);   // it lacks what was acknowledged
  write(5);
  expect_equal(away);
  ASSERT_TRUE(world.start(old));
  expect_equal(old);
}

TEST_P(ShardSnapshotTest, a_leader_that_is_replaced_in_the_middle_sends_no_more) {
  const std::uint32_t away = follower(), old = leader, next = other_follower();
  world.cut(away);
  write(800);
  trim_beyond(away);
  world.mend(away);
  ASSERT_TRUE(world.wait([&] { return world.blocks_sent_to(away) >= 6; }));
  ASSERT_TRUE(world.elect({old, next}, {0, 1, 2}, next));
  leader = next;
  ASSERT_TRUE(world.wait([&] { return world.shard(leader).serves(); }));
  write(5);
  expect_equal(away);
  expect_equal(old);
}

TEST_P(ShardSnapshotTest, a_new_learner_of_a_large_shard_is_bootstrapped_and_may_then_vote) {
  constexpr std::uint32_t learner = 3;
  write(600);
  for (int rounds = 0; rounds < 50 && world.log(leader).first <= Offset(0); ++rounds) world.pass(500ms);
  ASSERT_GT(world.log(leader).first, Offset(0));
  const auto change = [&](std::vector<std::uint32_t> old_voters, std::vector<std::uint32_t> voters,
                          std::vector<std::uint32_t> learners) {
    world.version = world.version.next();
    ChangeMembers told{.term = world.term,
                       .membership = {.version = world.version, .old_voters = {}, .voters = {}, .learners = {}}};
    for (const auto each : old_voters) told.membership.old_voters.emplace_back(each + 1);
    for (const auto each : voters) told.membership.voters.emplace_back(each + 1);
    for (const auto each : learners) told.membership.learners.emplace_back(each + 1);
    return world.wait([&] {
      const auto confirmed = world.shard(leader).change_members(told);
      return confirmed && *confirmed;
    });
  };
  ASSERT_TRUE(change({}, {0, 1, 2}, {learner}));
  write(20);
  expect_equal(learner);
  EXPECT_GT(world.blocks_sent_to(learner), 5U);
  ASSERT_TRUE(change({0, 1, 2}, {leader, follower(), learner}, {}));
  ASSERT_TRUE(change({}, {leader, follower(), learner}, {}));
  write(5);
  expect_equal(learner);
}

TEST_P(ShardSnapshotTest, sessions_and_their_records_come_with_it) {
  const std::uint32_t away = follower();
  world.cut(away);
  const auto session = world.run(leader, world.shard(leader).create_session(5s, "client"));
  ASSERT_TRUE(session);
  write(200);
  trim_beyond(away);
  world.mend(away);
  ASSERT_TRUE(world.wait([&] { return is_level(away); }));
  ASSERT_TRUE(world.elect({0, 1, 2}, {0, 1, 2}, away));
  ASSERT_TRUE(world.wait([&] { return world.shard(away).serves(); }));
  EXPECT_TRUE(world.shard(away).keep_alive(*session));
}

INSTANTIATE_TEST_SUITE_P(in_memory, ShardSnapshotTest, testing::Values(Engines::memory));
INSTANTIATE_TEST_SUITE_P(tables, ShardSnapshotTest, testing::Values(Engines::tables));

}  // namespace
}  // namespace skerry::replica
