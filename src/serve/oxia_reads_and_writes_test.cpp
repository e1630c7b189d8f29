// SPDX-License-Identifier: Apache-2.0
#include "serve/oxia_service.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/limits.hpp"
#include "serve/testing/oxia_service_fixture.hpp"

namespace skerry::serve {
namespace {

using namespace testing;   // the fixture and its words

struct OxiaReadsAndWritesTest : OxiaServiceTest {};
INSTANTIATE_TEST_SUITE_P(Shards, OxiaReadsAndWritesTest, ::testing::Values(shard_here, shard_there), shard_name);

TEST_P(OxiaReadsAndWritesTest, what_is_asked_of_a_shard_that_was_split_is_answered_by_those_that_it_became) {
  retire_parent();
  auto request = write_request();
  request.set_shard(parent.value());
  for (const char* key : {"a", "b", "c", "d", "e", "f", "g", "h"}) add_put(request, key, std::string("of ") + key);
  request.add_deletes()->set_key("nothing");
  auto& range = *request.add_delete_ranges();
  range.set_start_inclusive("f");
  range.set_end_exclusive("h");
  const proto::WriteResponse written = write(request);
  ASSERT_EQ(written.puts_size(), 8);
  for (const auto& each : written.puts()) EXPECT_EQ(each.status(), proto::OK);
  EXPECT_EQ(written.deletes(0).status(), proto::KEY_NOT_FOUND);
  EXPECT_EQ(written.delete_ranges(0).status(), proto::OK);
  EXPECT_GT(world.shard(shard_here).figures().puts, 0U);
  EXPECT_GT(world.shard(shard_there).figures().puts, 0U);

  proto::ReadRequest reading;
  reading.set_shard(parent.value());
  for (const char* key : {"a", "b", "g", "h"}) {
    auto& get = *reading.add_gets();
    get.set_key(key);
    get.set_include_value(true);
  }
  auto* call = world.finish("Read", reading);
  ASSERT_TRUE(call->status->ok()) << call->status->message;
  const auto found = call->reply<proto::ReadResponse>(0);
  ASSERT_EQ(found.gets_size(), 4);
  EXPECT_EQ(found.gets(0).value(), "of a");
  EXPECT_EQ(found.gets(1).value(), "of b");
  EXPECT_EQ(found.gets(2).status(), proto::KEY_NOT_FOUND);
  EXPECT_EQ(found.gets(3).value(), "of h");
  for (const auto& [asked, comparison, answer] : {std::tuple("bb", proto::FLOOR, "b"), std::tuple("bb", proto::HIGHER, "c"),
                                                  std::tuple("c", proto::LOWER, "b"), std::tuple("f", proto::CEILING, "h")}) {
    proto::ReadRequest nearest;
    nearest.set_shard(parent.value());
    nearest.add_gets()->set_key(asked);
    nearest.mutable_gets(0)->set_comparison_type(comparison);
    call = world.finish("Read", nearest);
    ASSERT_TRUE(call->status->ok()) << call->status->message;
    EXPECT_EQ(call->reply<proto::ReadResponse>(0).gets(0).key(), answer) << asked;
  }
  proto::ListRequest list;
  list.set_shard(parent.value());
  list.set_start_inclusive("b");
  call = world.finish("List", list);
  ASSERT_TRUE(call->status->ok()) << call->status->message;
  const auto listed = call->reply<proto::ListResponse>(0);
  EXPECT_EQ(std::vector<std::string>(listed.keys().begin(), listed.keys().end()),
            (std::vector<std::string>{"b", "c", "d", "e", "h"}));
  proto::RangeScanRequest scan;
  scan.set_shard(parent.value());
  scan.set_end_exclusive("d");
  call = world.finish("RangeScan", scan);
  ASSERT_TRUE(call->status->ok()) << call->status->message;
  const auto scanned = call->reply<proto::RangeScanResponse>(0);
  ASSERT_EQ(scanned.records_size(), 3);
  EXPECT_EQ(scanned.records(2).key() + scanned.records(2).value(), "cof c");

  auto* stream = world.write_stream(parent);
  auto more = write_request();
  add_put(more, "i", "of i");
  add_put(more, "j", "of j");
  stream->push(more);
  world.settle();
  ASSERT_EQ(stream->replies.size(), 1U);
  for (const auto& each : stream->reply<proto::WriteResponse>(0).puts()) EXPECT_EQ(each.status(), proto::OK);
  stream->half_close();
  world.run_until([&] { return stream->status.has_value(); });
  EXPECT_TRUE(stream->status->ok()) << stream->status->message;
}

TEST_P(OxiaReadsAndWritesTest, a_write_answers_each_operation_in_its_place) {
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

TEST_P(OxiaReadsAndWritesTest, what_was_put_is_got) {
  const auto version = put("a", "one").version();
  const auto found = get("a");
  EXPECT_EQ(found.status(), proto::OK);
  EXPECT_EQ(found.value(), "one");
  EXPECT_FALSE(found.has_key());
  EXPECT_EQ(found.version().SerializeAsString(), version.SerializeAsString());
  EXPECT_EQ(found.version().created_timestamp(), static_cast<std::uint64_t>(world.clock.wall().time_since_epoch().count()));
  EXPECT_EQ(get("b").status(), proto::KEY_NOT_FOUND);
}

TEST_P(OxiaReadsAndWritesTest, comparisons_name_the_key_they_found) {
  put("b", "two");
  put("d", "four");
  EXPECT_EQ(get("c", proto::FLOOR).key(), "b");
  EXPECT_EQ(get("c", proto::CEILING).key(), "d");
  EXPECT_EQ(get("b", proto::LOWER).status(), proto::KEY_NOT_FOUND);
  EXPECT_EQ(get("b", proto::HIGHER).key(), "d");
  EXPECT_EQ(get("d", proto::FLOOR).key(), "d");
}

TEST_P(OxiaReadsAndWritesTest, an_unknown_comparison_is_refused) {
  proto::ReadRequest request;
  request.set_shard(shard.value());
  auto& get = *request.add_gets();
  get.set_key("a");
  get.set_comparison_type(static_cast<proto::KeyComparisonType>(9));
  EXPECT_EQ(world.finish("Read", request)->status->code, Code::invalid_argument);
}

TEST_P(OxiaReadsAndWritesTest, a_get_without_value_has_the_version_only) {
  put("a", "one");
  proto::ReadRequest request;
  request.set_shard(shard.value());
  request.add_gets()->set_key("a");
  const auto reply = world.finish("Read", request)->reply<proto::ReadResponse>(0);
  EXPECT_FALSE(reply.gets(0).has_value());
  EXPECT_TRUE(reply.gets(0).has_version());
}

TEST_P(OxiaReadsAndWritesTest, reads_come_in_chunks_that_clients_can_receive) {
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

TEST_P(OxiaReadsAndWritesTest, a_value_larger_than_a_chunk_comes_alone) {
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

TEST_P(OxiaReadsAndWritesTest, a_read_of_nothing_ends_at_once) {
  proto::ReadRequest request;
  request.set_shard(shard.value());
  auto* call = world.finish("Read", request);
  EXPECT_TRUE(call->status->ok());
  EXPECT_TRUE(call->replies.empty());
}

TEST_P(OxiaReadsAndWritesTest, lists_and_scans_give_the_range_in_order) {
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

TEST_P(OxiaReadsAndWritesTest, lists_and_scans_come_in_chunks) {
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

TEST_P(OxiaReadsAndWritesTest, a_slow_reader_is_sent_no_more_than_it_takes) {
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

TEST_P(OxiaReadsAndWritesTest, a_reader_that_goes_away_leaves_nothing_behind) {
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

TEST_P(OxiaReadsAndWritesTest, the_floor_in_an_index_of_a_shard_that_was_split_is_the_first_with_that_key_else_the_last_below) {
  retire_parent();
  auto request = write_request();
  request.set_shard(parent.value());
  for (const char* key : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    auto& index = *add_put(request, key, "v").add_secondary_indexes();
    index.set_index_name("by");
    index.set_secondary_key("s");
  }
  write(request);
  ASSERT_GT(world.shard(shard_here).figures().puts, 0U);
  ASSERT_GT(world.shard(shard_there).figures().puts, 0U);
  for (const auto& [asked, answer] : {std::pair("s", "a"), std::pair("t", "h")}) {
    proto::ReadRequest reading;
    reading.set_shard(parent.value());
    auto& get = *reading.add_gets();
    get.set_key(asked);
    get.set_secondary_index_name("by");
    get.set_comparison_type(proto::FLOOR);
    auto* call = world.finish("Read", reading);
    ASSERT_TRUE(call->status->ok()) << call->status->message;
    EXPECT_EQ(call->reply<proto::ReadResponse>(0).gets(0).key(), answer) << asked;
  }
}

TEST_P(OxiaReadsAndWritesTest, secondary_indexes_are_listed_scanned_and_compared) {
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

TEST_P(OxiaReadsAndWritesTest, the_older_service_name_answers_the_same) {
  world.service = "io.streamnative.oxia.proto.OxiaClient";
  put("a", "one");
  EXPECT_EQ(get("a").value(), "one");
}

}  // namespace
}  // namespace skerry::serve
