// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "replica/testing/replica_world.hpp"

namespace skerry::replica {
namespace {

struct ShardReplicationTest : testing::Test {
  ReplicaWorld world{3};
  std::uint32_t leader = 0;
  std::vector<std::unique_ptr<PutRequest>> requests;

  void elect(std::vector<std::uint32_t> fenced) {
    const auto chosen = world.elect(std::move(fenced), {0, 1, 2});
    ASSERT_TRUE(chosen) << chosen.error().message();
    leader = *chosen;
    ASSERT_TRUE(world.wait([&] { return world.shard(leader).serves(); }));
  }
  void SetUp() override { elect({0, 1, 2}); }

  Ticket propose(std::uint32_t machine, Bytes key, Bytes value) {
    const auto& request = requests.emplace_back(std::make_unique<PutRequest>(std::move(key), std::move(value)));
    return world.shard(machine).propose(request->request());
  }
  testing::AssertionResult put(Bytes key, Bytes value) {
    Ticket ticket = propose(leader, std::move(key), std::move(value));
    if (!world.wait([&] { return ticket.ready(); })) return testing::AssertionFailure() << "not answered";
    const auto outcome = ticket.take();
    return outcome ? testing::AssertionSuccess() : testing::AssertionFailure() << outcome.error().message();
  }
  // What the replica's state holds, whether it may answer clients or not.
  std::string state(std::uint32_t machine, Bytes key) {
    const auto found = world.run(machine, world.shard(machine).get({.key = key, .index = {}}));
    if (!found) return found.error().message();
    return found->status == store::Status::ok ? found->value : "absent";
  }
  bool level() {
    const Offset commit = world.shard(leader).commit();
    for (std::uint32_t machine = 0; machine < 3; ++machine) {
      if (!world.up(machine) || world.shard(machine).status().applied != commit) return false;
    }
    return true;
  }
  std::uint32_t follower() const { return leader == 0 ? 1 : 0; }
  std::uint32_t other_follower() const { return 3 - leader - follower(); }
};

TEST_F(ShardReplicationTest, an_acknowledged_write_is_applied_on_all_replicas) {
  ASSERT_TRUE(put("key", "value"));
  ASSERT_TRUE(world.wait([&] { return level(); }));
  for (std::uint32_t machine = 0; machine < 3; ++machine) EXPECT_EQ(state(machine, "key"), "value");
}

TEST_F(ShardReplicationTest, a_write_is_not_acknowledged_before_a_majority_has_synced_it) {
  world.disk(follower()).faults.sync_takes = 20ms;
  world.disk(other_follower()).faults.sync_takes = 20ms;
  Ticket ticket = propose(leader, "key", "value");
  world.pass(15ms);
  EXPECT_FALSE(ticket.ready());
  ASSERT_TRUE(world.wait([&] { return ticket.ready(); }));
  EXPECT_TRUE(ticket.take());
}

TEST_F(ShardReplicationTest, the_leaders_own_disk_is_not_needed_for_a_majority) {
  world.disk(leader).faults.sync_takes = 500ms;
  Ticket ticket = propose(leader, "key", "value");
  world.pass(50ms);
  ASSERT_TRUE(ticket.ready());
  EXPECT_TRUE(ticket.take());
}

TEST_F(ShardReplicationTest, nothing_acknowledged_is_lost_with_the_leader) {
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(put("key" + std::to_string(i), "value"));
  const std::uint32_t old = leader;
  world.crash(old);
  elect({follower(), other_follower()});
  for (int i = 0; i < 50; ++i) EXPECT_EQ(state(leader, "key" + std::to_string(i)), "value");
  ASSERT_TRUE(put("after", "it"));
  ASSERT_TRUE(world.start(old));
  ASSERT_TRUE(world.wait([&] { return level(); }));
  EXPECT_EQ(state(old, "after"), "it");
}

TEST_F(ShardReplicationTest, a_replica_that_was_away_is_brought_up_from_the_log) {
  const std::uint32_t away = follower();
  world.cut(away);
  const Bytes value(20'000, 'v');
  for (int i = 0; i < 400; ++i) ASSERT_TRUE(put("key" + std::to_string(i), value));   // more than is kept in memory
  world.mend(away);
  ASSERT_TRUE(world.wait([&] { return level(); }));
  EXPECT_EQ(state(away, "key0"), value);
  EXPECT_EQ(state(away, "key399"), value);
}

TEST_F(ShardReplicationTest, a_leader_that_is_cut_off_stops_serving_within_its_lease_and_what_it_took_is_in_doubt) {
  const std::uint32_t old = leader;
  world.cut(old);
  Ticket ticket = propose(old, "key", "of the old leader");
  world.pass(110ms);
  EXPECT_FALSE(world.shard(old).serves());
  Ticket refused = propose(old, "key", "too late");
  ASSERT_TRUE(refused.ready());
  EXPECT_EQ(refused.take().error(), make_error_code(ShardError::not_leader));
  EXPECT_FALSE(ticket.ready());

  elect({follower(), other_follower()});
  ASSERT_TRUE(put("key", "of the new leader"));
  world.mend(old);
  ASSERT_TRUE(world.wait([&] { return ticket.ready(); }));
  EXPECT_EQ(ticket.take().error(), make_error_code(ShardError::outcome_unknown));
  ASSERT_TRUE(world.wait([&] { return level(); }));
  EXPECT_EQ(state(old, "key"), "of the new leader");   // its own entry was cut
}

TEST_F(ShardReplicationTest, a_new_leader_waits_until_the_old_ones_lease_has_run_out) {
  const std::uint32_t old = leader;
  world.cut(old);
  const auto chosen = world.elect({follower(), other_follower()}, {0, 1, 2});
  ASSERT_TRUE(chosen);
  while (world.shard(old).serves()) {
    ASSERT_FALSE(world.shard(*chosen).serves());
    world.pass(1ms);
  }
  EXPECT_TRUE(world.wait([&] { return world.shard(*chosen).serves(); }));
}

TEST_F(ShardReplicationTest, sessions_outlive_their_leader_with_their_whole_timeout) {
  const auto session = world.run(leader, world.shard(leader).create_session(2s, "client"));
  ASSERT_TRUE(session);
  ASSERT_TRUE(world.wait([&] { return level(); }));
  world.pass(1s);
  world.crash(leader);
  elect({follower(), other_follower()});
  world.pass(1500ms);
  world.shard(leader).expire_sessions();
  EXPECT_TRUE(world.shard(leader).keep_alive(*session));
}

TEST_F(ShardReplicationTest, followers_of_changes_are_ended_when_leadership_is_lost) {
  const auto follower_of_changes = world.shard(leader).follow(std::nullopt);
  ASSERT_TRUE(follower_of_changes);
  ASSERT_TRUE(world.run(leader, (*follower_of_changes)->next()));   // where it stands
  const std::uint32_t old = leader;
  ASSERT_TRUE(world.elect({0, 1, 2}, {0, 1, 2}, follower()));
  const auto ended = world.run(old, (*follower_of_changes)->next());
  EXPECT_EQ(ended.error(), make_error_code(ShardError::not_serving));
}

TEST_F(ShardReplicationTest, a_follower_whose_disk_is_full_is_brought_up_once_it_is_not) {
  const std::uint32_t full = follower();
  world.disk(full).faults.capacity = 0;
  const Bytes value(100'000, 'v');
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(put("key" + std::to_string(i), value));
  world.disk(full).faults.capacity.reset();
  ASSERT_TRUE(world.wait([&] { return level(); }));
  EXPECT_EQ(state(full, "key39"), value);
}

TEST_F(ShardReplicationTest, a_replica_whose_log_has_failed_changes_no_members) {
  const std::uint32_t failed = leader;
  world.disk(failed).faults.fail_write = 1;
  Ticket ticket = propose(failed, "key", "value");
  ASSERT_TRUE(world.wait([&] { return !world.shard(failed).serves(); }));
  ChangeMembers change{.term = world.term,
                       .membership = {.version = MembershipVersion(1), .old_voters = {}, .voters = {}, .learners = {}}};
  for (std::uint32_t node = 1; node <= 3; ++node) change.membership.voters.emplace_back(node);
  const auto refused = world.shard(failed).change_members(change);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), make_error_code(Errc::io_failed));
}

TEST_F(ShardReplicationTest, a_leader_whose_engine_has_failed_leads_no_more_and_says_why) {
  ASSERT_TRUE(put("key", "value"));
  Ticket ticket = propose(leader, "in flight", "value");
  world.shard(leader).stop_writes({make_error_code(Errc::io_failed), "the engine is broken"});
  ASSERT_TRUE(ticket.ready());
  EXPECT_FALSE(ticket.take());
  EXPECT_FALSE(world.shard(leader).serves());
  ASSERT_TRUE(world.shard(leader).status().failure);
  EXPECT_EQ(world.shard(leader).status().failure->text, "the engine is broken");
  const std::uint32_t old = leader;
  elect({follower(), other_follower()});
  EXPECT_NE(leader, old);
  EXPECT_EQ(state(leader, "key"), "value");
  EXPECT_TRUE(put("again", "value"));
}

// What a majority has synced is committed and applied, and the engine may make it durable before the own log does.
TEST(ShardPowerTest, an_engine_that_is_ahead_of_its_log_when_the_power_goes_is_no_damage) {
  ReplicaWorld world(3, {.housekeeping = ShardGroupOptions{.replay_bytes_max = 0, .checkpoint_interval = 10ms}});
  const auto leader = world.elect({0, 1, 2}, {0, 1, 2});
  ASSERT_TRUE(leader);
  ASSERT_TRUE(world.wait([&] { return world.shard(*leader).serves(); }));
  const PutRequest request("key", Bytes(10'000, 'v'));
  const Ticket ticket = world.shard(*leader).propose(request.request());
  world.disk(*leader).faults.sync_takes = 1h;   // of the log's, which begins now
  ASSERT_TRUE(world.wait([&] { return ticket.ready(); }));
  world.disk(*leader).faults.sync_takes = {};
  ASSERT_TRUE(world.wait([&] { return world.shard(*leader).durable() == world.shard(*leader).commit(); }));
  const Offset durable = world.shard(*leader).durable();
  world.crash(*leader);
  const auto started = world.start(*leader);
  ASSERT_TRUE(started) << started.error().message();
  EXPECT_EQ(world.log(*leader).snapshot, durable);   // its log had lost the entry, and follows the state
}

}  // namespace
}  // namespace skerry::replica
