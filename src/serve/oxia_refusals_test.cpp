// SPDX-License-Identifier: Apache-2.0
#include "serve/oxia_service.hpp"

#include <gtest/gtest.h>

#include "base/limits.hpp"
#include "serve/oxia_error.hpp"
#include "serve/testing/oxia_service_fixture.hpp"

namespace skerry::serve {
namespace {

using namespace testing;   // the fixture and its words

struct OxiaRefusalsTest : OxiaServiceTest {};
INSTANTIATE_TEST_SUITE_P(Shards, OxiaRefusalsTest, ::testing::Values(shard_here, shard_there), shard_name);

TEST_P(OxiaRefusalsTest, a_shard_that_is_not_open_yet_says_so) {
  world.close_shards();
  auto request = write_request();
  add_put(request, "a", "v");
  expect_reason(*world.finish("Write", request)->status, Code::unavailable, "NOT_INITIALIZED",
                "oxia: server not initialized yet");
  expect_reason(*world.finish("List", range<proto::ListRequest>("", ""))->status, Code::unavailable, "NOT_INITIALIZED",
                "oxia: server not initialized yet");
  auto* stream = world.write_stream(shard);
  world.settle();
  expect_reason(*stream->status, Code::unavailable, "NOT_INITIALIZED", "oxia: server not initialized yet");
}

TEST_P(OxiaRefusalsTest, writes_to_a_stopped_log_are_unavailable_and_reads_go_on) {
  put("a", "one");
  world.shard(shard).stop_writes({make_error_code(Errc::io_failed), "/data/log: no such device"});
  auto request = write_request();
  add_put(request, "b", "v");
  auto* call = world.finish("Write", request);
  expect_reason(*call->status, Code::unavailable, "RESOURCE_UNAVAILABLE", "oxia: resource unavailable: not applied");
  EXPECT_NE(call->status->message.find("no such device"), std::string::npos);
  EXPECT_EQ(get("a").value(), "one");
}

TEST_P(OxiaRefusalsTest, a_write_whose_log_fails_under_it_is_unknown) {
  world.state.faults.fail_sync = 1;
  auto request = write_request();
  add_put(request, "a", "v");
  expect_reason(*world.finish("Write", request)->status, Code::unknown, "UNKNOWN", "oxia: unknown error: it is unknown whether");
}

TEST_P(OxiaRefusalsTest, a_request_beyond_a_limit_is_refused_by_code_and_text) {
  auto request = write_request();
  add_put(request, "a", std::string(limits::value_bytes_max + 1, 'v'));
  auto* call = world.finish("Write", request);
  EXPECT_EQ(call->status->code, Code::resource_exhausted);
  EXPECT_NE(call->status->message.find(std::to_string(limits::value_bytes_max)), std::string::npos) << call->status->message;
}

struct OxiaRoutingTest : ::testing::Test {
  void tell_leader(std::size_t shard, std::string address) {
    auto assignments = std::make_shared<Assignments>(*world.directory().assignments());
    auto& place = assignments->namespaces["default"][shard];
    place.core.reset();
    place.leader = std::move(address);
    world.assign(std::move(assignments));
  }
  ServeWorld world;
};

TEST_F(OxiaRoutingTest, a_request_that_names_no_shard_is_invalid) {
  EXPECT_EQ(world.finish("Write", proto::WriteRequest())->status->code, Code::invalid_argument);
  EXPECT_EQ(world.finish("Read", proto::ReadRequest())->status->code, Code::invalid_argument);
  EXPECT_EQ(world.finish("List", proto::ListRequest())->status->code, Code::invalid_argument);
  EXPECT_EQ(world.finish("RangeScan", proto::RangeScanRequest())->status->code, Code::invalid_argument);
}

TEST_F(OxiaRoutingTest, an_unknown_shard_is_not_found_by_every_method) {
  const auto expect_not_found = [this](std::string_view method, auto request) {
    request.set_shard(99);
    expect_reason(*world.finish(method, request)->status, Code::not_found, "SHARD_NOT_FOUND", "oxia: shard not found");
  };
  expect_not_found("Write", proto::WriteRequest());
  expect_not_found("Read", proto::ReadRequest());
  expect_not_found("List", proto::ListRequest());
  expect_not_found("RangeScan", proto::RangeScanRequest());
  expect_not_found("GetSequenceUpdates", proto::GetSequenceUpdatesRequest());
  expect_not_found("GetNotifications", proto::NotificationsRequest());
  expect_not_found("CreateSession", proto::CreateSessionRequest());
  expect_not_found("KeepAlive", proto::SessionHeartbeat());
  expect_not_found("CloseSession", proto::CloseSessionRequest());
}

TEST_F(OxiaRoutingTest, a_shard_led_elsewhere_is_told_with_its_leader) {
  tell_leader(1, "other.example:6648");   // which is on another core: nothing of it is here
  proto::WriteRequest request;
  request.set_shard(1);
  auto* call = world.finish("Write", request);
  expect_reason(*call->status, Code::aborted, "NODE_IS_NOT_LEADER", "oxia: node is not leader");
  ASSERT_TRUE(call->status->info());
  EXPECT_EQ(call->status->info()->metadata.at("shard"), "1");
  EXPECT_EQ(call->status->info()->metadata.at("leader"), "other.example:6648");
}

TEST_F(OxiaRoutingTest, a_leader_answers_before_it_is_told_that_it_leads) {
  tell_leader(0, "other.example:6648");
  proto::WriteRequest request;
  request.set_shard(0);
  EXPECT_TRUE(world.finish("Write", request)->status->ok());
}

TEST_F(OxiaRoutingTest, assignments_give_the_requests_own_authority_and_the_whole_hash_range) {
  for (const char* name : {"", "default"}) {
    proto::ShardAssignmentsRequest request;
    request.set_namespace_(name);
    auto* call = world.begin("GetShardAssignments", request);
    world.settle();
    ASSERT_EQ(call->replies.size(), 1);
    EXPECT_FALSE(call->status);   // it stays, for later changes
    const auto reply = call->reply<proto::ShardAssignments>(0);
    const auto& shards = reply.namespaces().at("default");
    EXPECT_EQ(shards.shard_key_router(), proto::XXHASH3);
    ASSERT_EQ(shards.assignments_size(), 2);
    EXPECT_EQ(shards.assignments(0).leader(), "store.example:6648");
    EXPECT_EQ(shards.assignments(0).int32_hash_range().min_hash_inclusive(), 0);
    EXPECT_EQ(shards.assignments(0).int32_hash_range().max_hash_inclusive(), 0x7FFF'FFFF);
    EXPECT_EQ(shards.assignments(1).shard(), 1);
    EXPECT_EQ(shards.assignments(1).int32_hash_range().min_hash_inclusive(), 0x8000'0000);
    EXPECT_EQ(shards.assignments(1).int32_hash_range().max_hash_inclusive(), 0xFFFF'FFFF);
  }
}

TEST_F(OxiaRoutingTest, assignments_are_sent_again_when_they_change) {
  auto* call = world.begin("GetShardAssignments", proto::ShardAssignmentsRequest());
  world.settle();
  auto assignments = std::make_shared<Assignments>(*world.directory().assignments());
  assignments->namespaces["default"][0].leader = "";
  world.assign(std::move(assignments));
  world.settle();
  ASSERT_EQ(call->replies.size(), 2);
  EXPECT_EQ(call->reply<proto::ShardAssignments>(1).namespaces().at("default").assignments(0).leader(), "");
}

TEST_F(OxiaRoutingTest, an_unknown_namespace_is_not_found) {
  proto::ShardAssignmentsRequest request;
  request.set_namespace_("nowhere");
  expect_reason(*world.finish("GetShardAssignments", request)->status, Code::not_found, "NAMESPACE_NOT_FOUND",
                "oxia: namespace not found");
}

TEST(OxiaOptions, notifications_that_are_off_are_refused) {
  ServeWorld world({.notifications = false});
  proto::NotificationsRequest request;
  request.set_shard(1);
  expect_reason(*world.finish("GetNotifications", request)->status, Code::failed_precondition, "NOTIFICATIONS_NOT_ENABLED",
                "oxia: notifications not enabled on namespace");
}

TEST(OxiaOptions, authorities_are_checked_where_asked_for) {
  ServeWorld world({}, {.authority_check = AuthorityCheck::members});
  auto assignments = std::make_shared<Assignments>(*world.directory().assignments());
  assignments->allowed_authorities = {"store.example:6648"};
  world.assign(std::move(assignments));
  const auto code_for = [&](std::string authority) {
    auto* call = world.call("List");
    call->authority_text = std::move(authority);
    proto::ListRequest request;
    request.set_shard(0);
    call->push(request);
    call->half_close();
    world.start(*call);
    world.settle();
    return call->status->code;
  };
  EXPECT_EQ(code_for("store.example:6648"), Code::ok);
  EXPECT_EQ(code_for("evil.example:6648"), Code::permission_denied);
  EXPECT_EQ(code_for("store.example"), Code::invalid_argument);
  EXPECT_EQ(code_for(""), Code::invalid_argument);
}

TEST(EvenRanges, cover_every_hash_once) {
  for (const std::uint32_t count : {1U, 2U, 3U, 7U, 64U, 1000U}) {
    const auto places = even_ranges(ShardId(5), count);
    ASSERT_EQ(places.size(), count);
    EXPECT_EQ(places.front().hash_min, 0);
    EXPECT_EQ(places.back().hash_max, 0xFFFF'FFFF);
    EXPECT_EQ(places.back().shard, ShardId(4 + static_cast<std::int64_t>(count)));
    for (std::size_t i = 1; i < places.size(); ++i) EXPECT_EQ(places[i].hash_min, places[i - 1].hash_max + 1);
  }
}

TEST(OxiaError, every_reason_has_its_code_and_text) {
  expect_reason(oxia_status(OxiaError::aborted), Code::aborted, "ABORTED", "oxia: operation was aborted");
  expect_reason(oxia_status(OxiaError::invalid_term), Code::failed_precondition, "INVALID_TERM", "oxia: invalid term");
  expect_reason(oxia_status(OxiaError::invalid_status), Code::failed_precondition, "INVALID_STATUS", "oxia: invalid status");
  expect_reason(oxia_status(OxiaError::resource_conflict), Code::failed_precondition, "RESOURCE_CONFLICT",
                "oxia: resource conflict");
  expect_reason(oxia_status(OxiaError::node_is_not_member), Code::aborted, "NODE_IS_NOT_MEMBER", "oxia: node is not a member");
  expect_reason(oxia_status(Error{make_error_code(Errc::io_failed), "the disk is on fire"}), Code::unknown, "UNKNOWN",
                "oxia: unknown error: the disk is on fire");
  expect_reason(oxia_status(Error{std::make_error_code(std::errc::timed_out), ""}), Code::unknown, "UNKNOWN", "oxia: unknown");
}

}  // namespace
}  // namespace skerry::serve
