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
