// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/limits.hpp"
#include "replica/session_expiry.hpp"
#include "replica/testing/shard_world.hpp"

namespace skerry::replica {
namespace {

using store::Status;

struct ShardSessionsTest : testing::Test {
  ShardWorld world;
  void SetUp() override {
    ASSERT_TRUE(world.open());
    world.group().start();
  }

  SessionId create(Duration timeout = 2s) {
    return *world.run(world.shard().create_session(std::chrono::duration_cast<std::chrono::milliseconds>(timeout), "me"));
  }
  Status put(Bytes key, std::optional<SessionId> session) {
    PutRequest request(std::move(key), "v");
    request.put.session = session;
    return world.run(world.shard().write(request.request()))->puts[0].status;
  }
  void put_many(SessionId session, int count) {
    for (int i = 0; i < count; ++i) {
      PutRequest request("mine" + std::to_string(i), "v");
      request.put.session = session;
      world.shard().propose(request.request());
      if (i % 1000 == 999) world.settle();
    }
    world.settle();
  }
  bool exists(Bytes key) { return world.run(world.shard().get({.key = key, .index = {}}))->status == Status::ok; }
  std::size_t sessions() { return world.shard().figures().sessions; }
};

TEST_F(ShardSessionsTest, an_ephemeral_record_goes_with_its_silent_session) {
  const SessionId session = create();
  EXPECT_EQ(put("mine", session), Status::ok);
  EXPECT_EQ(put("lasting", std::nullopt), Status::ok);
  world.pass(1900ms);
  EXPECT_TRUE(exists("mine"));
  world.pass(1s);
  EXPECT_FALSE(exists("mine"));
  EXPECT_TRUE(exists("lasting"));
  EXPECT_EQ(sessions(), 0);
  EXPECT_EQ(world.shard().figures().sessions_expired, 1);
}

TEST_F(ShardSessionsTest, heartbeats_keep_a_session_and_its_records) {
  const SessionId session = create();
  ASSERT_EQ(put("mine", session), Status::ok);
  for (int i = 0; i < 10; ++i) {
    world.pass(1s);
    EXPECT_TRUE(world.shard().keep_alive(session));
  }
  EXPECT_TRUE(exists("mine"));
}

TEST_F(ShardSessionsTest, the_id_of_a_session_is_its_shard_and_the_offset_of_its_entry) {
  const Offset before = world.shard().commit();
  EXPECT_EQ(create(), SessionId(before.value() + 1));
}

TEST_F(ShardSessionsTest, closing_a_session_deletes_its_records_at_once) {
  const SessionId session = create();
  ASSERT_EQ(put("mine", session), Status::ok);
  EXPECT_TRUE(world.run(world.shard().close_session(session)));
  EXPECT_FALSE(exists("mine"));
  EXPECT_EQ(put("mine", session), Status::session_does_not_exist);
  EXPECT_EQ(world.shard().keep_alive(session).error(), make_error_code(ShardError::session_not_found));
  EXPECT_EQ(world.run(world.shard().close_session(session)).error(), make_error_code(ShardError::session_not_found));
  EXPECT_EQ(world.shard().figures().sessions_closed, 1);
}

TEST_F(ShardSessionsTest, timeouts_outside_the_limits_are_refused) {
  for (const auto timeout : {1999ms, 0ms, 300001ms}) {
    const auto refused = world.run(world.shard().create_session(timeout, "me"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), make_error_code(ShardError::invalid_session_timeout));
  }
  EXPECT_TRUE(world.run(world.shard().create_session(2000ms, "me")));
  EXPECT_TRUE(world.run(world.shard().create_session(300000ms, "me")));
}

TEST_F(ShardSessionsTest, a_restart_gives_each_session_its_whole_timeout_again) {
  const SessionId session = create(10s);
  ASSERT_EQ(put("mine", session), Status::ok);
  for (int crashes = 0; crashes < 3; ++crashes) {
    world.pass(8s);
    world.crash();
    ASSERT_TRUE(world.open());
    world.group().start();
    EXPECT_EQ(sessions(), 1);
  }
  world.pass(9s);
  EXPECT_TRUE(exists("mine"));
  world.pass(2s);
  EXPECT_FALSE(exists("mine"));
}

TEST_F(ShardSessionsTest, a_process_that_stood_still_ends_no_session_before_its_heartbeat_is_read) {
  const SessionId session = create();
  world.clock.advance(1h);
  world.settle();
  EXPECT_TRUE(world.shard().keep_alive(session));
  world.pass(1s);
  EXPECT_EQ(sessions(), 1);
}

TEST_F(ShardSessionsTest, a_put_that_races_the_end_of_its_session_leaves_nothing_behind) {
  const SessionId session = create();
  world.state.faults.sync_takes = 50ms;
  PutRequest before("before", "v"), after("after", "v");
  before.put.session = after.put.session = session;
  Ticket first = world.shard().propose(before.request());
  world.tasks().spawn(
      [](Shard& shard, SessionId id) -> Task<> { static_cast<void>(co_await shard.close_session(id)); }(world.shard(), session));
  world.settle();
  Ticket second = world.shard().propose(after.request());
  world.pass(1s);
  ASSERT_TRUE(first.ready() && second.ready());
  EXPECT_EQ(first.take()->puts[0].status, Status::ok);
  EXPECT_EQ(second.take()->puts[0].status, Status::session_does_not_exist);
  EXPECT_FALSE(exists("before"));
  EXPECT_FALSE(exists("after"));
}

TEST_F(ShardSessionsTest, many_sessions_end_in_batches) {
  constexpr int count = 1000;
  for (int i = 0; i < count; ++i) ASSERT_EQ(put("mine" + std::to_string(i), create()), Status::ok);
  const Offset before = world.shard().commit();
  world.pass(4s);
  EXPECT_EQ(sessions(), 0);
  EXPECT_FALSE(exists("mine0"));
  EXPECT_FALSE(exists("mine999"));
  EXPECT_GE(world.shard().commit().value() - before.value(), count / 128);
  EXPECT_LE(world.shard().commit().value() - before.value(), count / 128 + 10);
}

TEST_F(ShardSessionsTest, a_session_with_more_records_than_fit_in_one_entry_ends_in_several) {
  const SessionId session = create(10s);
  put_many(session, 5000);
  const Offset before = world.shard().commit();
  ASSERT_TRUE(world.run(world.shard().close_session(session)));
  EXPECT_GT(world.shard().commit().value() - before.value(), 1);
  for (int i = 0; i < 5000; ++i) ASSERT_FALSE(exists("mine" + std::to_string(i))) << i;
  EXPECT_EQ(world.shard().figures().sessions_closed, 1);
}

// The first entry has ended the session; the records that are left go when there is room again.
TEST_F(ShardSessionsTest, a_full_disk_in_the_middle_of_a_session_s_end_holds_up_nobody_and_the_end_is_finished_later) {
  const SessionId session = create(10s);
  put_many(session, 5000);
  world.state.faults.capacity = world.state.bytes_used();
  const auto used = [&] { return world.log().bytes_since(ShardId(0), Offset(0)); };
  const std::uint64_t before = world.log().bytes();
  const std::uint64_t reserve = 64 << 10, room_for_one_entry = 130 << 10;   // an entry takes about 80 KiB
  while (world.log().bytes() == before || world.log().bytes() - used() > reserve + room_for_one_entry) {
    PutRequest request("filler", Bytes(10 << 10, 'f'));
    ASSERT_TRUE(world.run(world.shard().write(request.request())));
  }
  const auto refused = world.run(world.shard().close_session(session));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), make_error_code(Errc::resource_exhausted));
  EXPECT_EQ(world.shard().keep_alive(session).error(), make_error_code(ShardError::session_not_found));
  EXPECT_TRUE(exists("mine4999"));
  EXPECT_EQ(put("other", std::nullopt), Status::ok);   // small enough
  world.state.faults.capacity.reset();
  world.pass(3s);
  for (int i = 0; i < 5000; ++i) ASSERT_FALSE(exists("mine" + std::to_string(i))) << i;
  EXPECT_EQ(world.shard().figures().sessions_closed, 1);
}

TEST_F(ShardSessionsTest, sessions_that_cannot_be_ended_now_are_ended_later) {
  const SessionId session = create();
  ASSERT_EQ(put("mine", session), Status::ok);
  world.clock.jump_wall(2h);   // proposals are refused
  world.pass(5s);
  EXPECT_TRUE(exists("mine"));
  EXPECT_EQ(world.shard().figures().sessions_expired, 0);
  world.clock.jump_wall(-2h);
  world.pass(1s);
  EXPECT_FALSE(exists("mine"));
  EXPECT_EQ(world.shard().figures().sessions_expired, 1);
}

}  // namespace
}  // namespace skerry::replica
