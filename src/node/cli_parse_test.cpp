// SPDX-License-Identifier: Apache-2.0
#include "node/cli_parse.hpp"

#include <gtest/gtest.h>

namespace skerry::node {
namespace {

TEST(ParseIndex, splits_at_the_first_equals_sign) {
  const auto index = parse_index("by-owner=anna=1");
  ASSERT_TRUE(index);
  EXPECT_EQ(index->name, "by-owner");
  EXPECT_EQ(index->key, "anna=1");
  EXPECT_FALSE(parse_index("by-owner"));
  EXPECT_FALSE(parse_index("=anna"));
}

TEST(ParseComparison, knows_the_five) {
  EXPECT_EQ(parse_comparison("equal"), client::Comparison::equal);
  EXPECT_EQ(parse_comparison("higher"), client::Comparison::higher);
  EXPECT_NE(parse_comparison("above").error().text.find("invalid comparison type: "), std::string::npos);
}

TEST(ParsePosition, takes_shard_and_offset) {
  EXPECT_EQ(parse_position("3=1234"), std::pair(ShardId{3}, Offset{1234}));
  for (const char* text : {"3", "x=1", "3=", "3=1x", "3=-2"}) EXPECT_FALSE(parse_position(text)) << text;
}

TEST(ParseJsonLine, takes_every_field) {
  const auto put = parse_json_line(
      R"({"key":"/a","value":"x","partition_key":"p","expected_version":-1,"indexes":{"by-owner":"anna","by-age":"7"}})");
  ASSERT_TRUE(put) << put.error().text;
  EXPECT_EQ(put->key, "/a");
  EXPECT_EQ(put->value, "x");
  EXPECT_EQ(put->options.partition_key, "p");
  EXPECT_EQ(put->options.expected_version, client::must_not_exist);
  ASSERT_EQ(put->options.indexes.size(), 2U);
  EXPECT_EQ(put->options.indexes[1].key, "7");
}

TEST(ParseJsonLine, stores_values_that_are_no_strings_as_their_json) {
  EXPECT_EQ(parse_json_line(R"({"key":"a","value":{"b":[1,2]}})")->value, R"({"b":[1,2]})");
  EXPECT_EQ(parse_json_line(R"({"key":"a","value":5})")->value, "5");
}

TEST(ParseJsonLine, changes_no_byte_of_values_that_are_json) {
  for (const std::string value :
       {"12345678901234567890123", "18446744073709551616", "-9223372036854775809", "1e400", "1.10", "-0", "1E2", "true", "null",
        "[]", "{}", R"([ 1, "]}\"", {"b":1.0,"b" : 2,"a":"\u00e9\/"} ])", R"({"x":"}"})"}) {
    EXPECT_EQ(parse_json_line(R"({"key":"a","value":)" + value + "}")->value, value);
    EXPECT_EQ(parse_json_line(R"( { "value" : )" + value + R"( ,"key":"a" } )")->value, value);
    client::AtomicBatch batch;
    ASSERT_TRUE(parse_batch_line(R"({"put":"a","value":)" + value + "}", batch));
    EXPECT_EQ(std::get<client::AtomicBatch::Put>(batch.operations().front()).value, value);
  }
  EXPECT_EQ(parse_json_line(R"({"key":"a","value":"\u00e9 \"x\""})")->value, "\xC3\xA9 \"x\"");
}

TEST(ParseJsonLine, refuses_a_name_that_comes_twice) {
  for (const char* line : {R"({"key":"a","value":1,"key":"b"})", R"({"key":"a","value":1,"v\u0061lue":2})",
                           R"({"key":"a","value":1,"indexes":{"i":"x","i":"y"}})"}) {
    EXPECT_NE(parse_json_line(line).error().text.find("twice"), std::string::npos) << line;
  }
  client::AtomicBatch batch;
  EXPECT_NE(parse_batch_line(R"({"put":"a","value":1,"value":2})", batch).error().text.find("twice"), std::string::npos);
}

TEST(ParseJsonLine, takes_any_bytes_as_base64) {
  EXPECT_EQ(parse_json_line(R"({"key":"a","value_base64":"/wD+"})")->value, std::string("\xFF\x00\xFE", 3));
  EXPECT_FALSE(parse_json_line(R"({"key":"a","value_base64":"***"})"));
}

TEST(ParseJsonLine, says_what_is_wrong_with_a_line) {
  const auto wrong = [](std::string_view line) { return parse_json_line(line).error().text; };
  EXPECT_NE(wrong("nonsense").find("not JSON"), std::string::npos);
  EXPECT_NE(wrong("[1]").find("expected an object"), std::string::npos);
  EXPECT_NE(wrong(R"({"value":"x"})").find("\"key\" is missing"), std::string::npos);
  EXPECT_NE(wrong(R"({"key":"a"})").find("\"value\""), std::string::npos);
  EXPECT_NE(wrong(R"({"key":1,"value":"x"})").find("\"key\" must be a string"), std::string::npos);
  EXPECT_NE(wrong(R"({"key":"a","value":"x","colour":1})").find("unknown field"), std::string::npos);
  EXPECT_NE(wrong(R"({"key":"a","value":"x","expected_version":-2})").find("expected_version"), std::string::npos);
}

}  // namespace
}  // namespace skerry::node
