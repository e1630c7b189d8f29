// SPDX-License-Identifier: Apache-2.0
#include "disk/log.hpp"

#include <gtest/gtest.h>

#include "disk/log_format.hpp"
#include "disk/testing/log_world.hpp"

namespace skerry::disk {
namespace {

constexpr Term first_term{1}, second_term{2};

std::string payload(std::int64_t offset, std::size_t size = 20) {
  std::string text = fmt::format("entry {} ", offset);
  while (text.size() < size) text += static_cast<char>('a' + text.size() % 26);
  return text;
}

void fill(LogWorld& world, ShardId shard, std::int64_t from, std::int64_t to, std::size_t size = 20) {
  for (std::int64_t i = from; i <= to; ++i) ASSERT_TRUE(world.append(shard, first_term, Offset(i), payload(i, size)));
}

void expect_entries(LogWorld& world, ShardId shard, std::int64_t from, std::int64_t to, std::size_t size = 20) {
  const auto entries = world.read(shard, Offset(from));
  ASSERT_TRUE(entries) << entries.error().message();
  ASSERT_EQ(entries->size(), static_cast<std::size_t>(to - from + 1));
  for (std::int64_t i = from; i <= to; ++i) {
    const LogEntry& entry = (*entries)[static_cast<std::size_t>(i - from)];
    EXPECT_EQ(entry.offset, Offset(i));
    EXPECT_EQ(entry.payload, payload(i, size));
  }
}

TEST(Log, what_was_synced_is_there_after_a_crash) {
  LogWorld world;
  ASSERT_TRUE(world.open());
  fill(world, one, 0, 9);
  fill(world, two, 0, 4);
  ASSERT_TRUE(world.sync());
  ASSERT_TRUE(world.reopen_after_crash());
  expect_entries(world, one, 0, 9);
  expect_entries(world, two, 0, 4);
  EXPECT_EQ(world.log().shard(one).last, Offset(9));
  EXPECT_EQ(world.log().shard(one).last_term, first_term);
  EXPECT_EQ(world.log().synced(), Sequence(15));
}

TEST(Log, entries_can_be_read_before_they_are_synced) {
  LogWorld world;
  ASSERT_TRUE(world.open());
  world.settle();
  world.state.faults.sync_takes = 1s;
  fill(world, one, 0, 3);
  expect_entries(world, one, 0, 3);
  fill(world, one, 4, 5);
  expect_entries(world, one, 0, 5);
}

TEST(Log, appends_of_one_turn_are_one_write_and_one_sync) {
  LogWorld world;
  ASSERT_TRUE(world.open());
  fill(world, one, 0, 0);
  ASSERT_TRUE(world.sync());
  world.settle();
  const auto writes = world.state.writes(), syncs = world.state.syncs();
  fill(world, one, 1, 50);
  ASSERT_TRUE(world.sync());
  EXPECT_EQ(world.state.writes(), writes + 1);
  EXPECT_EQ(world.state.syncs(), syncs + 1);
}

TEST(Log, fills_segment_after_segment_and_reads_across_them) {
  LogWorld world;
  ASSERT_TRUE(world.open());
  for (int round = 0; round < 20; ++round) {
    fill(world, one, round * 10, round * 10 + 9, 500);
    ASSERT_TRUE(world.sync());
  }
  EXPECT_GT(world.log().bytes(), 5 * world.options().segment_bytes);
  expect_entries(world, one, 0, 199, 500);
  ASSERT_TRUE(world.reopen_after_crash());
  expect_entries(world, one, 0, 199, 500);
  expect_entries(world, one, 77, 199, 500);
}

TEST(Log, trimmed_segments_are_recycled) {
  LogWorld world;
  ASSERT_TRUE(world.open());
  for (int round = 0; round < 100; ++round) {
    fill(world, one, round * 10, round * 10 + 9, 500);
    ASSERT_TRUE(world.note(world.log().trim(one, Offset(round * 10))));
    ASSERT_TRUE(world.sync());
    world.settle();
    ASSERT_LE(world.log().bytes(), 3 * world.options().segment_bytes);
  }
  EXPECT_LE(world.state.paths().size(), 6U);
  ASSERT_TRUE(world.reopen_after_crash());
  EXPECT_EQ(world.log().shard(one).first, Offset(990));
  expect_entries(world, one, 990, 999, 500);
  EXPECT_EQ(world.read(one, Offset(5)).error(), Errc::not_found);
}

TEST(Log, truncation_is_logical_and_its_offsets_are_used_again) {
  LogWorld world;
  ASSERT_TRUE(world.open());
  fill(world, one, 0, 9);
  ASSERT_TRUE(world.note(world.log().truncate(one, Offset(5))));
  EXPECT_EQ(world.append(one, first_term, Offset(7), "gap").error(), Errc::invalid_argument);
  ASSERT_TRUE(world.append(one, second_term, Offset(6), "new"));
  ASSERT_TRUE(world.sync());
  for (int life = 0; life < 2; ++life) {
    const auto entries = world.read(one, Offset(0));
    ASSERT_TRUE(entries);
    ASSERT_EQ(entries->size(), 7U);
    EXPECT_EQ(entries->back().payload, "new");
    EXPECT_EQ(entries->back().term, second_term);
    EXPECT_EQ(world.log().shard(one).last_term, second_term);
    ASSERT_TRUE(world.reopen_after_crash());
  }
  ASSERT_TRUE(world.log().truncate(one, Offset(5)));
  EXPECT_EQ(world.log().shard(one).last_term, first_term);
  EXPECT_EQ(world.log().shard(one).term, second_term);
}

}  // namespace
}  // namespace skerry::disk
