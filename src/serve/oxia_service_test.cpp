// SPDX-License-Identifier: Apache-2.0
#include "serve/oxia_service.hpp"

#include <gtest/gtest.h>

#include "base/limits.hpp"
#include "serve/oxia_error.hpp"
#include "serve/testing/serve_world.hpp"

namespace skerry::serve {
namespace {

using rpc::Code;
using testing::FakeCall;
using testing::ServeWorld;
using testing::shard_here;
using testing::shard_there;

void expect_reason(const rpc::Status& status, Code code, std::string_view reason, std::string_view text) {
  EXPECT_EQ(status.code, code) << status.message;
  const auto info = status.info();
  ASSERT_TRUE(info) << status.message;
  EXPECT_EQ(info->domain, "oxia.io");
  EXPECT_EQ(info->reason, reason);
  EXPECT_TRUE(status.message.starts_with(text)) << status.message;
}

proto::PutRequest& add_put(proto::WriteRequest& request, std::string key, std::string value) {
  auto& put = *request.add_puts();
  put.set_key(std::move(key));
  put.set_value(std::move(value));
  return put;
}

// Every test runs against a shard on the connection's own core, and against one on another core.
struct OxiaServiceTest : ::testing::TestWithParam<ShardId> {
  ServeWorld world;
  const ShardId shard = GetParam();

  proto::WriteRequest write_request() const {
    proto::WriteRequest request;
    request.set_shard(shard.value());
    return request;
  }
  proto::WriteResponse write(const proto::WriteRequest& request) {
    auto* call = world.finish("Write", request);
    EXPECT_TRUE(call->status->ok()) << call->status->message;
    return call->reply<proto::WriteResponse>(0);
  }
  proto::PutResponse put(std::string key, std::string value) {
    auto request = write_request();
    add_put(request, std::move(key), std::move(value));
    return write(request).puts(0);
  }
  proto::GetResponse get(std::string key, proto::KeyComparisonType comparison = proto::EQUAL) {
    proto::ReadRequest request;
    request.set_shard(shard.value());
    auto& get = *request.add_gets();
    get.set_key(std::move(key));
    get.set_include_value(true);
    get.set_comparison_type(comparison);
    auto* call = world.finish("Read", request);
    EXPECT_TRUE(call->status->ok()) << call->status->message;
    return call->reply<proto::ReadResponse>(0).gets(0);
  }
  template <class Request>
  Request range(std::string start, std::string end) const {
    Request request;
    request.set_shard(shard.value());
    request.set_start_inclusive(std::move(start));
    request.set_end_exclusive(std::move(end));
    return request;
  }
  std::vector<std::string> list(std::string start, std::string end) {
    auto* call = world.finish("List", range<proto::ListRequest>(std::move(start), std::move(end)));
    EXPECT_TRUE(call->status->ok()) << call->status->message;
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < call->replies.size(); ++i) {
      const auto reply = call->reply<proto::ListResponse>(i);
      keys.insert(keys.end(), reply.keys().begin(), reply.keys().end());
    }
    return keys;
  }
  std::int64_t create_session(std::uint32_t timeout_ms = 5000) {
    proto::CreateSessionRequest request;
    request.set_shard(shard.value());
    request.set_session_timeout_ms(timeout_ms);
    request.set_client_identity("me");
    auto* call = world.finish("CreateSession", request);
    EXPECT_TRUE(call->status->ok()) << call->status->message;
    return call->reply<proto::CreateSessionResponse>(0).session_id();
  }
};
INSTANTIATE_TEST_SUITE_P(Shards, OxiaServiceTest, ::testing::Values(shard_here, shard_there),
                         [](const auto& each) { return each.param == shard_here ? "same_core" : "other_core"; });

// --- writes and reads

TEST_P(OxiaServiceTest, a_write_answers_each_operation_in_its_place) {
  auto request = write_request();
  add_put(request, "a", "one");
  add_put(request, "b", "two").set_expected_version_id(7);
  add_put(request, "c", "three").set_client_identity("me");
  request.add_deletes()->set_key("a");
  request.add_deletes()->set_key("missing");
  auto& range = *request.add_delete_ranges();
  range.set_start_inclusive("x");
  range.set_end_exclusive("z");
  const auto reply = write(request);
  ASSERT_EQ(reply.puts_size(), 3);
  EXPECT_EQ(reply.puts(0).status(), proto::OK);
  EXPECT_EQ(reply.puts(0).version().version_id(), 0);
  EXPECT_FALSE(reply.puts(0).has_key());
  EXPECT_EQ(reply.puts(1).status(), proto::UNEXPECTED_VERSION_ID);
  EXPECT_FALSE(reply.puts(1).has_version());
  EXPECT_EQ(reply.puts(2).version().version_id(), 1);
  EXPECT_EQ(reply.puts(2).version().client_identity(), "me");
  ASSERT_EQ(reply.deletes_size(), 2);
  EXPECT_EQ(reply.deletes(0).status(), proto::OK);
  EXPECT_EQ(reply.deletes(1).status(), proto::KEY_NOT_FOUND);
  ASSERT_EQ(reply.delete_ranges_size(), 1);
  EXPECT_EQ(reply.delete_ranges(0).status(), proto::OK);
}

TEST_P(OxiaServiceTest, what_was_put_is_got) {
  const auto version = put("a", "one").version();
  const auto found = get("a");
  EXPECT_EQ(found.status(), proto::OK);
  EXPECT_EQ(found.value(), "one");
  EXPECT_FALSE(found.has_key());
  EXPECT_EQ(found.version().SerializeAsString(), version.SerializeAsString());
  EXPECT_EQ(found.version().created_timestamp(),
            static_cast<std::uint64_t>(world.clock.wall().time_since_epoch().count()));
  EXPECT_EQ(get("b").status(), proto::KEY_NOT_FOUND);
}

TEST_P(OxiaServiceTest, comparisons_name_the_key_they_found) {
  put("b", "two");
  put("d", "four");
  EXPECT_EQ(get("c", proto::FLOOR).key(), "b");
  EXPECT_EQ(get("c", proto::CEILING).key(), "d");
  EXPECT_EQ(get("b", proto::LOWER).status(), proto::KEY_NOT_FOUND);
  EXPECT_EQ(get("b", proto::HIGHER).key(), "d");
  EXPECT_EQ(get("d", proto::FLOOR).key(), "d");
}

TEST_P(OxiaServiceTest, an_unknown_comparison_is_refused) {
  proto::ReadRequest request;
  request.set_shard(shard.value());
  auto& get = *request.add_gets();
  get.set_key("a");
  get.set_comparison_type(static_cast<proto::KeyComparisonType>(9));
  EXPECT_EQ(world.finish("Read", request)->status->code, Code::invalid_argument);
}

TEST_P(OxiaServiceTest, a_get_without_value_has_the_version_only) {
  put("a", "one");
  proto::ReadRequest request;
  request.set_shard(shard.value());
  request.add_gets()->set_key("a");
  const auto reply = world.finish("Read", request)->reply<proto::ReadResponse>(0);
  EXPECT_FALSE(reply.gets(0).has_value());
  EXPECT_TRUE(reply.gets(0).has_version());
}

TEST_P(OxiaServiceTest, reads_come_in_chunks_that_clients_can_receive) {
  const std::string value(700 << 10, 'v');
  proto::ReadRequest request;
  request.set_shard(shard.value());
  for (int i = 0; i < 8; ++i) {
    put("k" + std::to_string(i), value);
    auto& get = *request.add_gets();
    get.set_key("k" + std::to_string(i));
    get.set_include_value(true);
  }
  auto* call = world.finish("Read", request);
  ASSERT_EQ(call->replies.size(), 4);
  int gets = 0;
  for (std::size_t i = 0; i < call->replies.size(); ++i) {
    EXPECT_LE(call->replies[i].size(), limits::response_bytes_max);
    gets += call->reply<proto::ReadResponse>(i).gets_size();
  }
  EXPECT_EQ(gets, 8);
}

TEST_P(OxiaServiceTest, a_value_larger_than_a_chunk_comes_alone) {
  put("large", std::string(3 << 20, 'v'));
  put("small", "v");
  proto::ReadRequest request;
  request.set_shard(shard.value());
  for (const char* key : {"small", "large", "small"}) {
    auto& get = *request.add_gets();
    get.set_key(key);
    get.set_include_value(true);
  }
  auto* call = world.finish("Read", request);
  ASSERT_EQ(call->replies.size(), 3);
  EXPECT_EQ(call->reply<proto::ReadResponse>(1).gets(0).value().size(), 3 << 20);
}

TEST_P(OxiaServiceTest, a_read_of_nothing_ends_at_once) {
  proto::ReadRequest request;
  request.set_shard(shard.value());
  auto* call = world.finish("Read", request);
  EXPECT_TRUE(call->status->ok());
  EXPECT_TRUE(call->replies.empty());
}

TEST_P(OxiaServiceTest, lists_and_scans_give_the_range_in_order) {
  for (const char* key : {"/a", "/b", "/a/1", "/a/2", "/a/1/x", "/b/1"}) put(key, std::string("v") + key);
  EXPECT_EQ(list("/a/", "/a//"), (std::vector<std::string>{"/a/1", "/a/2"}));
  EXPECT_EQ(list("", "").size(), 6);
  auto* call = world.finish("RangeScan", range<proto::RangeScanRequest>("/a/", "/a//"));
  const auto reply = call->reply<proto::RangeScanResponse>(0);
  ASSERT_EQ(reply.records_size(), 2);
  EXPECT_EQ(reply.records(0).key(), "/a/1");
  EXPECT_EQ(reply.records(0).value(), "v/a/1");
  EXPECT_TRUE(reply.records(1).has_version());
}

TEST_P(OxiaServiceTest, lists_and_scans_come_in_chunks) {
  auto request = write_request();
  const std::string pad(1000, 'p');
  for (int i = 0; i < 4500; ++i) add_put(request, fmt::format("{:05d}{}", i, pad), "v");
  write(request);
  const auto* listed = world.finish("List", range<proto::ListRequest>("", ""));
  EXPECT_EQ(listed->replies.size(), 3);
  int keys = 0;
  for (std::size_t i = 0; i < listed->replies.size(); ++i) {
    EXPECT_LE(listed->replies[i].size(), limits::response_bytes_max);
    keys += listed->reply<proto::ListResponse>(i).keys_size();
  }
  EXPECT_EQ(keys, 4500);
  const auto* scanned = world.finish("RangeScan", range<proto::RangeScanRequest>("", ""));
  int records = 0;
  for (std::size_t i = 0; i < scanned->replies.size(); ++i) {
    const auto reply = scanned->reply<proto::RangeScanResponse>(i);
    EXPECT_LE(static_cast<std::size_t>(reply.records_size()), limits::scan_records_max);
    records += reply.records_size();
  }
  EXPECT_EQ(records, 4500);
}

TEST_P(OxiaServiceTest, a_slow_reader_is_sent_no_more_than_it_takes) {
  auto request = write_request();
  for (int i = 0; i < 3000; ++i) add_put(request, std::to_string(i), "v");
  write(request);
  auto* call = world.call("RangeScan");
  call->credits = 1;
  call->push(range<proto::RangeScanRequest>("", ""));
  call->half_close();
  world.start(*call);
  world.settle();
  EXPECT_EQ(call->replies.size(), 1);
  call->take_replies(100);
  world.settle();
  EXPECT_EQ(call->replies.size(), 3);
  EXPECT_TRUE(call->status->ok());
}

TEST_P(OxiaServiceTest, a_reader_that_goes_away_leaves_nothing_behind) {
  auto request = write_request();
  for (int i = 0; i < 3000; ++i) add_put(request, std::to_string(i), "v");
  write(request);
  auto* call = world.call("RangeScan");
  call->credits = 1;
  call->push(range<proto::RangeScanRequest>("", ""));
  call->half_close();
  world.start(*call);
  world.settle();
  call->cancel();
  world.settle();
  EXPECT_TRUE(call->ended());
  EXPECT_EQ(get("0").value(), "v");
}

TEST_P(OxiaServiceTest, secondary_indexes_are_listed_scanned_and_compared) {
  auto request = write_request();
  for (int i = 0; i < 5; ++i) {
    auto& index = *add_put(request, "p" + std::to_string(i), "v").add_secondary_indexes();
    index.set_index_name("by");
    index.set_secondary_key("s" + std::to_string(9 - i));
  }
  write(request);
  auto listing = range<proto::ListRequest>("s5", "s8");
  listing.set_secondary_index_name("by");
  const auto keys = world.finish("List", listing)->reply<proto::ListResponse>(0);
  ASSERT_EQ(keys.keys_size(), 3);
  EXPECT_EQ(keys.keys(0), "p4");
  proto::ReadRequest read;
  read.set_shard(shard.value());
  auto& get = *read.add_gets();
  get.set_key("s6");
  get.set_comparison_type(proto::HIGHER);
  get.set_secondary_index_name("by");
  const auto found = world.finish("Read", read)->reply<proto::ReadResponse>(0).gets(0);
  EXPECT_EQ(found.key(), "p2");
  EXPECT_EQ(found.secondary_index_key(), "s7");
}

TEST_P(OxiaServiceTest, the_older_service_name_answers_the_same) {
  world.service = "io.streamnative.oxia.proto.OxiaClient";
  put("a", "one");
  EXPECT_EQ(get("a").value(), "one");
}

// --- the write stream

TEST_P(OxiaServiceTest, a_write_stream_answers_in_order) {
  auto* stream = world.write_stream(shard);
  constexpr int count = 3000;   // more than may be in flight
  for (int i = 0; i < count; ++i) {
    proto::WriteRequest request;
    add_put(request, "counter", std::to_string(i)).set_expected_version_id(i - 1);
    stream->push(request);
  }
  world.settle();
  EXPECT_EQ(stream->replies.size(), count);
  EXPECT_FALSE(stream->status);
  stream->half_close();
  world.settle();
  ASSERT_TRUE(stream->status);
  EXPECT_TRUE(stream->status->ok());
  for (int i = 0; i < count; ++i) {
    const auto reply = stream->reply<proto::WriteResponse>(static_cast<std::size_t>(i));
    ASSERT_EQ(reply.puts(0).status(), proto::OK);
    ASSERT_EQ(reply.puts(0).version().version_id(), i);
  }
}

TEST_P(OxiaServiceTest, a_write_stream_reads_no_further_than_it_may_have_in_flight) {
  world.state.faults.sync_takes = 10ms;
  auto* stream = world.write_stream(shard);
  for (int i = 0; i < 3000; ++i) {
    proto::WriteRequest request;
    add_put(request, std::to_string(i), "v");
    stream->push(request);
  }
  world.settle();
  EXPECT_EQ(world.shard(shard).figures().puts, limits::stream_writes_in_flight_max);
  stream->half_close();
  world.run_until([&] { return stream->status.has_value(); });
  EXPECT_EQ(stream->replies.size(), 3000);
}

TEST_P(OxiaServiceTest, a_refused_write_ends_its_stream_after_the_answers_before_it) {
  auto* stream = world.write_stream(shard);
  for (const char* key : {"good", "__oxia/session/x", "late"}) {
    proto::WriteRequest request;
    add_put(request, key, "v");
    stream->push(request);
  }
  world.settle();
  ASSERT_TRUE(stream->status);
  EXPECT_EQ(stream->status->code, Code::invalid_argument);
  EXPECT_EQ(stream->replies.size(), 1);
}

TEST_P(OxiaServiceTest, a_malformed_message_ends_a_write_stream_after_the_answers_before_it) {
  auto* stream = world.write_stream(shard);
  proto::WriteRequest request;
  add_put(request, "good", "v");
  stream->push(request);
  stream->push_bytes("\xff\xff\xff");
  world.settle();
  ASSERT_TRUE(stream->status);
  EXPECT_EQ(stream->status->code, Code::invalid_argument);
  EXPECT_EQ(stream->replies.size(), 1);
}

TEST_P(OxiaServiceTest, a_write_stream_whose_client_goes_away_ends_and_its_writes_stay) {
  auto* stream = world.write_stream(shard);
  proto::WriteRequest request;
  add_put(request, "a", "one");
  stream->push(request);
  world.settle();
  stream->cancel();
  world.settle();
  EXPECT_TRUE(stream->ended());
  EXPECT_EQ(get("a").value(), "one");
}

TEST_P(OxiaServiceTest, a_write_stream_goes_on_when_its_client_takes_answers_slowly) {
  auto* stream = world.write_stream(shard);
  stream->credits = 0;
  for (int i = 0; i < 100; ++i) {
    proto::WriteRequest request;
    add_put(request, std::to_string(i), "v");
    stream->push(request);
  }
  world.settle();
  EXPECT_TRUE(stream->replies.empty());
  EXPECT_EQ(get("99").value(), "v");
  stream->take_replies(100);
  world.settle();
  EXPECT_EQ(stream->replies.size(), 100);
}

TEST_P(OxiaServiceTest, a_write_stream_needs_its_headers) {
  auto* nameless = world.call("WriteStream");
  nameless->headers.add("shard-id", "0");
  world.start(*nameless);
  world.settle();
  EXPECT_EQ(nameless->status->code, Code::unknown);
  auto* shardless = world.call("WriteStream");
  shardless->headers.add("namespace", "default");
  world.start(*shardless);
  world.settle();
  EXPECT_EQ(shardless->status->code, Code::unknown);
  auto* wordy = world.call("WriteStream");
  wordy->headers.add("namespace", "default");
  wordy->headers.add("shard-id", "0x1");
  world.start(*wordy);
  world.settle();
  EXPECT_EQ(wordy->status->code, Code::unknown);
  EXPECT_NE(wordy->status->message.find("0x1"), std::string::npos);
  const auto* unknown = world.write_stream(ShardId(7));
  world.settle();
  expect_reason(*unknown->status, Code::not_found, "SHARD_NOT_FOUND", "oxia: shard not found");
}

// --- sessions

TEST_P(OxiaServiceTest, sessions_are_made_kept_and_closed) {
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

TEST_P(OxiaServiceTest, session_timeouts_have_limits) {
  for (const std::uint32_t timeout : {0U, 1999U, 300'001U, 4'000'000'000U}) {
    proto::CreateSessionRequest request;
    request.set_shard(shard.value());
    request.set_session_timeout_ms(timeout);
    expect_reason(*world.finish("CreateSession", request)->status, Code::invalid_argument, "INVALID_SESSION_TIMEOUT",
                  "oxia: invalid session timeout");
  }
}

// --- followers

TEST_P(OxiaServiceTest, notifications_begin_with_an_empty_batch_at_the_commit_offset) {
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

TEST_P(OxiaServiceTest, notifications_resume_after_an_offset) {
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

TEST_P(OxiaServiceTest, sequences_make_keys_and_are_followed) {
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

// --- what cannot be answered

TEST_P(OxiaServiceTest, a_shard_that_is_not_open_yet_says_so) {
  world.close_shards();
  auto request = write_request();
  add_put(request, "a", "v");
  expect_reason(*world.finish("Write", request)->status, Code::unavailable, "NOT_INITIALIZED", "oxia: server not initialized yet");
  expect_reason(*world.finish("List", range<proto::ListRequest>("", ""))->status, Code::unavailable, "NOT_INITIALIZED",
                "oxia: server not initialized yet");
  auto* stream = world.write_stream(shard);
  world.settle();
  expect_reason(*stream->status, Code::unavailable, "NOT_INITIALIZED", "oxia: server not initialized yet");
}

TEST_P(OxiaServiceTest, writes_to_a_stopped_log_are_unavailable_and_reads_go_on) {
  put("a", "one");
  world.shard(shard).stop_writes({make_error_code(Errc::io_failed), "/data/log: no such device"});
  auto request = write_request();
  add_put(request, "b", "v");
  auto* call = world.finish("Write", request);
  expect_reason(*call->status, Code::unavailable, "RESOURCE_UNAVAILABLE", "oxia: resource unavailable: not applied");
  EXPECT_NE(call->status->message.find("no such device"), std::string::npos);
  EXPECT_EQ(get("a").value(), "one");
}

TEST_P(OxiaServiceTest, a_write_whose_log_fails_under_it_is_unknown) {
  world.state.faults.fail_sync = 1;
  auto request = write_request();
  add_put(request, "a", "v");
  expect_reason(*world.finish("Write", request)->status, Code::unknown, "UNKNOWN", "oxia: unknown error: it is unknown whether");
}

TEST_P(OxiaServiceTest, a_request_beyond_a_limit_is_refused_by_code_and_text) {
  auto request = write_request();
  add_put(request, "a", std::string(limits::value_bytes_max + 1, 'v'));
  auto* call = world.finish("Write", request);
  EXPECT_EQ(call->status->code, Code::resource_exhausted);
  EXPECT_NE(call->status->message.find(std::to_string(limits::value_bytes_max)), std::string::npos) << call->status->message;
}

// --- without a shard of its own

struct OxiaRoutingTest : ::testing::Test {
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
  auto assignments = std::make_shared<Assignments>(*world.directory().assignments());
  auto& place = assignments->namespaces["default"][0];
  place.core.reset();
  place.leader = "other.example:6648";
  world.assign(std::move(assignments));
  proto::WriteRequest request;
  request.set_shard(0);
  auto* call = world.finish("Write", request);
  expect_reason(*call->status, Code::aborted, "NODE_IS_NOT_LEADER", "oxia: node is not leader");
  EXPECT_EQ(call->status->info()->metadata.at("shard"), "0");
  EXPECT_EQ(call->status->info()->metadata.at("leader"), "other.example:6648");
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
