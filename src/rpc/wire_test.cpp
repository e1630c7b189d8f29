// SPDX-License-Identifier: Apache-2.0
#include "rpc/wire.hpp"

#include <gtest/gtest.h>

#include "rpc/header_fields.hpp"

namespace skerry::rpc::wire {
namespace {

TEST(Wire, percent_encoding_keeps_printable_ascii_and_comes_back) {
  EXPECT_EQ(percent_encode("plain text"), "plain text");
  EXPECT_EQ(percent_encode("50% né\n"), "50%25 n%C3%A9%0A");
  EXPECT_EQ(percent_decode("50%25 n%C3%A9%0a"), "50% né\n");
  EXPECT_EQ(percent_decode("broken %, %4 and %zz stay"), "broken %, %4 and %zz stay");
}

TEST(Wire, base64_comes_back_with_and_without_padding) {
  for (const auto& [bytes, text] : {std::pair<Bytes, std::string>{"", ""},
                                    {"f", "Zg"},
                                    {"fo", "Zm8"},
                                    {"foo", "Zm9v"},
                                    {std::string("\0\xFF\x10", 3), "AP8Q"}}) {
    EXPECT_EQ(base64_encode(bytes), text);
    EXPECT_EQ(base64_decode(text), bytes);
  }
  EXPECT_EQ(base64_decode("Zg=="), "f");
  EXPECT_EQ(base64_decode("Zm8="), "fo");
  EXPECT_FALSE(base64_decode("Z"));
  EXPECT_FALSE(base64_decode("Zm9v!"));
  EXPECT_FALSE(base64_decode("Zm8==="));
}

TEST(Wire, comma_separated_binary_values_are_several) {
  EXPECT_EQ(decode_binary_values("Zg,Zm8="), (std::vector<std::string>{"f", "fo"}));
  EXPECT_FALSE(decode_binary_values("Zg,!"));
}

TEST(Wire, timeouts_are_read_in_every_unit_and_written_rounded_up) {
  EXPECT_EQ(parse_timeout("3H"), 3h);
  EXPECT_EQ(parse_timeout("2M"), 2min);
  EXPECT_EQ(parse_timeout("1S"), 1s);
  EXPECT_EQ(parse_timeout("100m"), 100ms);
  EXPECT_EQ(parse_timeout("5u"), 5us);
  EXPECT_EQ(parse_timeout("99999999n"), Duration(99'999'999));
  EXPECT_GT(parse_timeout("99999999H"), Duration(0));   // does not overflow
  EXPECT_GT(parse_timeout("99999999M"), Duration(0));
  for (const std::string wrong : {"", "S", "1", "-1S", "1s", "123456789S", "1 S", "1.5S"})
    EXPECT_FALSE(parse_timeout(wrong)) << wrong;
  for (const Duration left : {Duration(1), 150ms + 1ns, Duration(10s), Duration(100h), Duration(24h * 365 * 50)}) {
    const auto read = parse_timeout(format_timeout(left));
    ASSERT_TRUE(read) << format_timeout(left);
    EXPECT_GE(*read, left);
    EXPECT_LE(*read - left, left / 1000 + 1h * (left > 1000h));
  }
  EXPECT_EQ(format_timeout(Duration(-5)), "1n");
}

TEST(Wire, grpc_content_types_are_told_from_others) {
  for (const auto* yes : {"application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"})
    EXPECT_TRUE(is_grpc_content(yes));
  for (const auto* no : {"", "application/json", "application/grpc-web", "application/grpc+json", "application/grpcx"}) {
    EXPECT_FALSE(is_grpc_content(no)) << no;
  }
}

TEST(Wire, metadata_names_and_values_are_checked) {
  EXPECT_TRUE(is_metadata_name("x-a_1.b"));
  for (const auto* no : {"", "X", "grpc-status", ":path", "a b", "né"}) EXPECT_FALSE(is_metadata_name(no)) << no;
  EXPECT_TRUE(is_metadata_value("any printable ~ text"));
  EXPECT_FALSE(is_metadata_value("line\nbreak"));
}

Bytes framed(BytesView message) {
  Bytes out;
  append_prefix(out, message.size());
  return out.append(message);
}

TEST(MessageAssembler, finds_messages_however_the_bytes_are_cut) {
  const Bytes stream = framed("one") + framed("") + framed(std::string(70'000, 'x')) + framed("four");
  for (const std::size_t step : {std::size_t{1}, std::size_t{3}, std::size_t{1000}, stream.size()}) {
    MessageAssembler assembler(1 << 20);
    std::vector<std::size_t> sizes;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      ASSERT_TRUE(assembler.feed(BytesView(stream).substr(at, step)).ok());
      while (assembler.has_message()) {
        sizes.push_back(assembler.front().size());
        assembler.pop();
      }
    }
    EXPECT_EQ(sizes, (std::vector<std::size_t>{3, 0, 70'000, 4}));
    EXPECT_FALSE(assembler.mid_message());
    EXPECT_EQ(assembler.buffered(), 0U);
  }
}

TEST(MessageAssembler, knows_what_waits_and_what_is_unfinished) {
  MessageAssembler assembler(100);
  ASSERT_TRUE(assembler.feed(framed("abc") + framed("defg").substr(0, 6)).ok());
  EXPECT_EQ(assembler.messages(), 1U);
  EXPECT_EQ(assembler.complete_bytes(), 8U);
  EXPECT_EQ(assembler.buffered(), 14U);
  EXPECT_TRUE(assembler.mid_message());
  EXPECT_EQ(assembler.front(), "abc");
}

TEST(MessageAssembler, refuses_large_and_compressed_messages_by_their_prefix) {
  MessageAssembler assembler(100);
  const Status large = assembler.feed(framed(std::string(101, 'x')).substr(0, 5));
  EXPECT_EQ(large.code, Code::resource_exhausted);
  EXPECT_NE(large.message.find("101 bytes is larger than the limit of 100 bytes"), std::string::npos) << large.message;
  MessageAssembler fresh(100);
  EXPECT_EQ(fresh.feed(std::string("\1\0\0\0\0", 5)).code, Code::internal);
}

}  // namespace
}  // namespace skerry::rpc::wire
