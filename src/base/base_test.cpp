// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace skerry {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0) return fail(Errc::invalid_argument, "odd");
  return value / 2;
}

Result<int> quarter(int value) {
  TRY(const int once, half(value));
  TRY(const int twice, half(once));
  return twice;
}

TEST(Result, try_hands_the_first_error_up) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).error(), Errc::invalid_argument);
  EXPECT_EQ(quarter(6).error().message(), "odd");
}

TEST(Result, copying_a_bool_result_keeps_its_value) {
  Result<bool> no = false;
  Result<bool> copy = no;
  EXPECT_FALSE(*copy);
}

TEST(Hash, key_hash_matches_the_published_vectors) {
  EXPECT_EQ(key_hash("foo"), 125730186U);
  EXPECT_EQ(key_hash("bar"), 2687685474U);
  EXPECT_EQ(key_hash("baz"), 862947621U);
}

TEST(Hash, crc32c_matches_rfc_3720) {
  EXPECT_EQ(crc32c(""), 0U);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc32c("6789", crc32c("12345")), crc32c("123456789"));
}

TEST(Bytes, varints_round_trip_at_every_width) {
  for (int bit = 0; bit < 64; ++bit) {
    const std::uint64_t value = (std::uint64_t{1} << bit) - 1;
    Bytes out;
    append_varint(out, value);
    ByteReader reader(out);
    EXPECT_EQ(reader.varint(), value);
    EXPECT_TRUE(reader.done());
  }
}

TEST(Bytes, reader_refuses_what_runs_past_the_end) {
  ByteReader overlong(BytesView("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11));
  overlong.varint();
  EXPECT_FALSE(overlong.ok());
  ByteReader short_string(
      BytesView("\x05"
                "abc",
                4));
  EXPECT_EQ(short_string.sized(), "");
  EXPECT_FALSE(short_string.ok());
}

TEST(Bytes, finds_where_utf8_breaks) {
  EXPECT_EQ(find_invalid_utf8("häfen/🦭"), std::nullopt);
  EXPECT_EQ(find_invalid_utf8("ab\xff"), 2U);
  for (std::size_t at = 0; at < 20; ++at) {   // wherever it stands among what is looked at together
    Bytes text(20, 'a');
    EXPECT_EQ(find_invalid_utf8(text), std::nullopt);
    text[at] = '\xff';
    EXPECT_EQ(find_invalid_utf8(text), at);
  }
  EXPECT_EQ(find_invalid_utf8("\xed\xa0\x80"), 0U);   // a surrogate
  EXPECT_EQ(find_invalid_utf8("\xc0\xaf"), 0U);       // overlong
  EXPECT_EQ(find_invalid_utf8("a\xe2\x82"), 1U);      // cut short
}

TEST(Bytes, printable_escapes_and_cuts) {
  EXPECT_EQ(printable("a\n\"b\xff"), "\"a\\x0a\\\"b\\xff\"");
  EXPECT_EQ(printable("abcdef", 3), "\"abc…\"");
}

TEST(Stamp, rises_even_when_the_clock_goes_back) {
  const Stamp first = Stamp{}.after(WallTime{1000ms});
  const Stamp second = first.after(WallTime{999ms});
  EXPECT_GT(second, first);
  EXPECT_EQ(second.millis(), 1000U);
  EXPECT_EQ(second.after(WallTime{1001ms}), Stamp::at(WallTime{1001ms}));
}

}  // namespace
}  // namespace skerry
