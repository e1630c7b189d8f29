// SPDX-License-Identifier: Apache-2.0
#include "serve/oxia_service.hpp"

#include <gtest/gtest.h>

#include "serve/testing/oxia_service_fixture.hpp"

namespace skerry::serve {
namespace {

using namespace testing;   // the fixture and its words

struct OxiaSessionsAndFollowersTest : OxiaServiceTest {};
INSTANTIATE_TEST_SUITE_P(Shards, OxiaSessionsAndFollowersTest, ::testing::Values(shard_here, shard_there), shard_name);

TEST_P(OxiaSessionsAndFollowersTest, sessions_are_made_kept_and_closed) {
  const std::int64_t session = create_session();
  auto request = write_request();
  add_put(request, "mine", "v").set_session_id(session);
  const auto version = write(request).puts(0).version();
  EXPECT_EQ(version.version_id(), 1);   // the session's own record took 0
  EXPECT_EQ(version.session_id(), session);
  proto::SessionHeartbeat heartbeat;
  heartbeat.set_shard(shard.value());
  heartbeat.set_session_id(session);
  EXPECT_TRUE(world.finish("KeepAlive", heartbeat)->status->ok());
  proto::CloseSessionRequest close;
  close.set_shard(shard.value());
  close.set_session_id(session);
  EXPECT_TRUE(world.finish("CloseSession", close)->status->ok());
  EXPECT_EQ(get("mine").status(), proto::KEY_NOT_FOUND);
  expect_reason(*world.finish("KeepAlive", heartbeat)->status, Code::not_found, "SESSION_NOT_FOUND", "oxia: session not found");
  expect_reason(*world.finish("CloseSession", close)->status, Code::not_found, "SESSION_NOT_FOUND", "oxia: session not found");
}

TEST_P(OxiaSessionsAndFollowersTest, sessions_of_a_shard_that_was_split_are_kept_and_closed_where_it_went) {
  const std::int64_t session = create_session();
  retire_parent();
  proto::SessionHeartbeat heartbeat;
  heartbeat.set_shard(parent.value());
  heartbeat.set_session_id(session);
  EXPECT_TRUE(world.finish("KeepAlive", heartbeat)->status->ok());
  proto::CloseSessionRequest close;
  close.set_shard(parent.value());
  close.set_session_id(session);
  EXPECT_TRUE(world.finish("CloseSession", close)->status->ok());
  expect_reason(*world.finish("KeepAlive", heartbeat)->status, Code::not_found, "SESSION_NOT_FOUND", "oxia: session not found");
  heartbeat.set_shard(77);
  expect_reason(*world.finish("KeepAlive", heartbeat)->status, Code::not_found, "SHARD_NOT_FOUND", "oxia: shard not found");
}

TEST_P(OxiaSessionsAndFollowersTest, a_session_asked_of_a_shard_that_was_split_is_one_session_where_it_went) {
  retire_parent();
  proto::CreateSessionRequest request;
  request.set_shard(parent.value());
  request.set_session_timeout_ms(5000);
  auto* call = world.finish("CreateSession", request);
  ASSERT_TRUE(call->status->ok()) << call->status->message;
  const std::int64_t session = call->reply<proto::CreateSessionResponse>(0).session_id();
  auto mine = write_request();   // by one that knows the shards of today
  add_put(mine, "mine", "v").set_session_id(session);
  EXPECT_EQ(write(mine).puts(0).status(), proto::OK);
  auto theirs = write_request();   // by one that does not
  theirs.set_shard(parent.value());
  add_put(theirs, "theirs", "v").set_session_id(session);
  EXPECT_EQ(write(theirs).puts(0).status(), proto::OK);
  proto::CloseSessionRequest close;
  close.set_shard(parent.value());
  close.set_session_id(session);
  EXPECT_TRUE(world.finish("CloseSession", close)->status->ok());
  EXPECT_EQ(get("mine").status(), proto::KEY_NOT_FOUND);
  for (const ShardId heir : {shard_here, shard_there}) {
    close.set_shard(heir.value());
    expect_reason(*world.finish("CloseSession", close)->status, Code::not_found, "SESSION_NOT_FOUND", "oxia: session not found");
  }
}

TEST_P(OxiaSessionsAndFollowersTest, session_timeouts_have_limits) {
  for (const std::uint32_t timeout : {0U, 1999U, 300'001U, 4'000'000'000U}) {
    proto::CreateSessionRequest request;
    request.set_shard(shard.value());
    request.set_session_timeout_ms(timeout);
    expect_reason(*world.finish("CreateSession", request)->status, Code::invalid_argument, "INVALID_SESSION_TIMEOUT",
                  "oxia: invalid session timeout");
  }
}

TEST_P(OxiaSessionsAndFollowersTest, notifications_begin_with_an_empty_batch_at_the_commit_offset) {
  put("before", "v");
  const auto commit = world.shard(shard).commit().value();
  proto::NotificationsRequest request;
  request.set_shard(shard.value());
  auto* call = world.begin("GetNotifications", request);
  world.settle();
  ASSERT_EQ(call->replies.size(), 1);
  const auto first = call->reply<proto::NotificationBatch>(0);
  EXPECT_EQ(first.shard(), shard.value());
  EXPECT_EQ(first.offset(), commit);
  EXPECT_EQ(first.notifications_size(), 0);

  auto changes = write_request();
  add_put(changes, "b", "v");
  add_put(changes, "before", "w");
  changes.add_deletes()->set_key("b");
  auto& range = *changes.add_delete_ranges();
  range.set_start_inclusive("x");
  range.set_end_exclusive("z");
  write(changes);
  ASSERT_EQ(call->replies.size(), 2);
  const auto batch = call->reply<proto::NotificationBatch>(1);
  EXPECT_EQ(batch.offset(), commit + 1);
  EXPECT_EQ(batch.timestamp(), static_cast<std::uint64_t>(world.clock.wall().time_since_epoch().count()));
  ASSERT_EQ(batch.notifications_size(), 3);
  EXPECT_EQ(batch.notifications(0).key(), "b");
  EXPECT_EQ(batch.notifications(0).value().type(), proto::KEY_DELETED);
  EXPECT_FALSE(batch.notifications(0).value().has_version_id());
  EXPECT_EQ(batch.notifications(1).key(), "before");
  EXPECT_EQ(batch.notifications(1).value().type(), proto::KEY_MODIFIED);
  EXPECT_EQ(batch.notifications(1).value().version_id(), 2);
  EXPECT_EQ(batch.notifications(2).key(), "x");
  EXPECT_EQ(batch.notifications(2).value().type(), proto::KEY_RANGE_DELETED);
  EXPECT_EQ(batch.notifications(2).value().key_range_last(), "z");
  call->cancel();
  world.settle();
  EXPECT_TRUE(call->ended());
  EXPECT_EQ(world.shard(shard).figures().followers, 0);
}

TEST_P(OxiaSessionsAndFollowersTest, followers_of_the_same_changes_are_told_the_same) {
  put("a", "v");
  const auto seen = world.shard(shard).commit().value();
  proto::NotificationsRequest request;
  request.set_shard(shard.value());
  auto* early = world.begin("GetNotifications", request);
  world.settle();
  put("b", "v");
  put("c", "v");
  request.set_start_offset_exclusive(seen);
  auto* late = world.begin("GetNotifications", request);
  world.settle();
  ASSERT_EQ(early->replies.size(), 3);
  ASSERT_EQ(late->replies.size(), 2);
  EXPECT_EQ(early->replies[1], late->replies[0]);
  EXPECT_EQ(early->replies[2], late->replies[1]);
  EXPECT_EQ(late->reply<proto::NotificationBatch>(1).notifications(0).key(), "c");
}

TEST_P(OxiaSessionsAndFollowersTest, notifications_resume_after_an_offset) {
  put("a", "v");
  const auto seen = world.shard(shard).commit().value();
  put("b", "v");
  proto::NotificationsRequest request;
  request.set_shard(shard.value());
  request.set_start_offset_exclusive(seen);
  auto* call = world.begin("GetNotifications", request);
  world.settle();
  ASSERT_EQ(call->replies.size(), 1);
  EXPECT_EQ(call->reply<proto::NotificationBatch>(0).notifications(0).key(), "b");
}

TEST_P(OxiaSessionsAndFollowersTest, sequences_make_keys_and_are_followed) {
  const auto add = [&] {
    auto request = write_request();
    auto& put = add_put(request, "s", "v");
    put.set_partition_key("p");
    put.add_sequence_key_delta(3);
    return write(request).puts(0).key();
  };
  EXPECT_EQ(add(), "s-00000000000000000003");
  proto::GetSequenceUpdatesRequest request;
  request.set_shard(shard.value());
  request.set_key("s");
  auto* call = world.begin("GetSequenceUpdates", request);
  world.settle();
  EXPECT_EQ(call->reply<proto::GetSequenceUpdatesResponse>(0).highest_sequence_key(), "s-00000000000000000003");
  add();
  EXPECT_EQ(call->reply<proto::GetSequenceUpdatesResponse>(1).highest_sequence_key(), "s-00000000000000000006");
}

}  // namespace
}  // namespace skerry::serve
