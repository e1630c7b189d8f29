// SPDX-License-Identifier: Apache-2.0
#include "serve/oxia_service.hpp"

#include <gtest/gtest.h>

#include "base/limits.hpp"
#include "serve/testing/oxia_service_fixture.hpp"

namespace skerry::serve {
namespace {

using namespace testing;   // the fixture and its words

struct OxiaWriteStreamTest : OxiaServiceTest {};
INSTANTIATE_TEST_SUITE_P(Shards, OxiaWriteStreamTest, ::testing::Values(shard_here, shard_there), shard_name);

TEST_P(OxiaWriteStreamTest, a_write_stream_answers_in_order) {
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

TEST_P(OxiaWriteStreamTest, a_write_stream_reads_no_further_than_it_may_have_in_flight) {
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

TEST_P(OxiaWriteStreamTest, a_write_stream_reads_no_further_than_it_may_have_bytes_in_flight) {
  world.state.faults.sync_takes = 10ms;
  auto* stream = world.write_stream(shard);
  constexpr std::size_t value_bytes = 1 << 20, fit = limits::stream_bytes_in_flight_max / value_bytes;
  for (std::size_t i = 0; i < 2 * fit; ++i) {
    proto::WriteRequest request;
    add_put(request, std::to_string(i), std::string(value_bytes, 'v'));
    stream->push(request);
  }
  world.settle();
  EXPECT_EQ(world.shard(shard).figures().puts, fit);
  stream->half_close();
  world.run_until([&] { return stream->status.has_value(); });
  EXPECT_EQ(stream->replies.size(), 2 * fit);
}

TEST_P(OxiaWriteStreamTest, a_refused_write_ends_its_stream_after_the_answers_before_it) {
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

TEST_P(OxiaWriteStreamTest, a_malformed_message_ends_a_write_stream_after_the_answers_before_it) {
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

TEST_P(OxiaWriteStreamTest, a_write_stream_whose_client_goes_away_ends_and_its_writes_stay) {
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

TEST_P(OxiaWriteStreamTest, a_write_stream_goes_on_when_its_client_takes_answers_slowly) {
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

TEST_P(OxiaWriteStreamTest, a_write_stream_needs_its_headers) {
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

}  // namespace
}  // namespace skerry::serve
