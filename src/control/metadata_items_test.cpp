// SPDX-License-Identifier: Apache-2.0
#include "control/metadata_items.hpp"

#include <gtest/gtest.h>

#include "base/limits.hpp"

namespace skerry::control {
namespace {

TEST(MetadataItems, survive_being_written_and_read_and_every_cut_is_noticed) {
  const MetadataItems items{{"cluster", std::string("\0\n\xff", 3)}, {"node/1", ""}, {"", "no key"}};
  const Bytes whole = encode(items);
  const auto read = decode_items(whole);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(*read, items);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_EQ(decode_items(BytesView(whole).substr(0, length)).error(), Errc::corrupt) << length;
  }
  EXPECT_EQ(decode_items(whole + "x").error(), Errc::corrupt);
}

TEST(MetadataItems, changes_survive_being_written_and_read_and_every_cut_is_noticed) {
  const std::vector<MetadataChange> changes{{"shard/1", "a"}, {"shard/2", std::nullopt}, {"shard/3", ""}};
  const Bytes whole = encode(changes);
  const auto read = decode_changes(whole);
  ASSERT_TRUE(read.has_value());
  ASSERT_EQ(read->size(), 3U);
  for (std::size_t at = 0; at < 3; ++at) {
    EXPECT_EQ((*read)[at].key, changes[at].key);
    EXPECT_EQ((*read)[at].value, changes[at].value);
  }
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_EQ(decode_changes(BytesView(whole).substr(0, length)).error(), Errc::corrupt) << length;
  }
  EXPECT_EQ(decode_changes(std::string("\1\2\1a", 4)).error(), Errc::corrupt) << "there is no such kind of change";
}

TEST(MetadataItems, a_count_that_promises_too_much_is_refused_without_being_believed) {
  Bytes promise;
  append_varint(promise, ~std::uint64_t{0});
  EXPECT_EQ(decode_items(promise).error(), Errc::corrupt);
  EXPECT_EQ(decode_changes(promise).error(), Errc::corrupt);
}

TEST(MetadataTable, knows_what_its_items_take) {
  MetadataTable table;
  table.apply({{"aa", "1"}, {"b", "22"}, {"aa", "333"}, {"c", std::nullopt}});
  EXPECT_EQ(table.items(), (MetadataItems{{"aa", "333"}, {"b", "22"}}));
  EXPECT_EQ(table.bytes(), 8U);
  EXPECT_EQ(MetadataTable(table.items()).bytes(), 8U);
  table.apply({{"aa", std::nullopt}, {"b", std::nullopt}});
  EXPECT_EQ(table.bytes(), 0U);
}

TEST(MetadataTable, takes_changes_up_to_the_limit_and_none_above) {
  const MetadataTable table;
  const std::size_t fits = limits::metadata_change_bytes_max - 1;
  EXPECT_TRUE(table.check({{"k", Bytes(fits, 'x')}}));
  EXPECT_EQ(table.check({{"k", Bytes(fits + 1, 'x')}}).error(), Errc::resource_exhausted);
}

TEST(MetadataTable, grows_up_to_the_limit_and_can_always_shrink) {
  MetadataTable table;
  const Bytes piece(limits::metadata_change_bytes_max / 2 - 1, 'x');
  char key = 'A';
  for (; table.bytes() < limits::metadata_bytes_max; ++key) {
    ASSERT_TRUE(table.check({{std::string(1, key), piece}}));
    table.apply({{std::string(1, key), piece}});
  }
  EXPECT_EQ(table.bytes(), limits::metadata_bytes_max);
  EXPECT_EQ(table.check({{"more", "x"}}).error(), Errc::resource_exhausted);
  EXPECT_TRUE(table.check({{"A", "less"}}));
  EXPECT_TRUE(table.check({{"A", piece}}));
  EXPECT_TRUE(table.check({{"A", std::nullopt}}));
}

}  // namespace
}  // namespace skerry::control
