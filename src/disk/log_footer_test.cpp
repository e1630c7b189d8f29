// SPDX-License-Identifier: Apache-2.0
// The footers of closed segments: what they spare, and that nothing is lost when one is missing, torn, foreign or forged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "disk/log.hpp"
#include "disk/log_format.hpp"
#include "disk/log_inspect.hpp"
#include "disk/testing/log_world.hpp"

namespace skerry::disk {
namespace {

constexpr Term footer_term{3};
constexpr std::int64_t entries = 120;   // of each shard: about ten segments

std::string path(std::uint64_t generation) { return "/log/" + segment_name(generation); }

std::string footer_payload(std::int64_t offset) { return fmt::format("entry {} ", offset) + std::string(400, 'x'); }

void append_both(LogWorld& world, std::int64_t from, std::int64_t count) {
  for (std::int64_t i = from; i < from + count; ++i) {
    ASSERT_TRUE(world.append(one, footer_term, Offset(i), footer_payload(i)));
    ASSERT_TRUE(world.append(two, footer_term, Offset(i), footer_payload(i)));
    ASSERT_TRUE(world.sync());
    world.settle();
  }
}

void fill_log(LogWorld& world) {
  ASSERT_TRUE(world.open());
  append_both(world, 0, entries);
}

void expect_all(LogWorld& world, std::int64_t count = entries) {
  for (const ShardId shard : {one, two}) {
    EXPECT_EQ(world.log().shard(shard).last, Offset(count - 1));
    const auto read = world.read(shard, Offset(0));
    ASSERT_TRUE(read) << read.error().message();
    ASSERT_EQ(static_cast<std::int64_t>(read->size()), count);
    for (std::int64_t i = 0; i < count; ++i) ASSERT_EQ((*read)[static_cast<std::size_t>(i)].payload, footer_payload(i));
  }
}

struct Parts {
  SegmentHeader header;
  std::uint64_t end;                     // of the batches
  std::optional<SegmentFooter> footer;
  std::uint64_t footer_begins() const { return footer->state_place(header); }
};

Parts parts_of(const Bytes& content) {
  const auto header = decode_segment_header(content);
  EXPECT_TRUE(header);
  const auto scan = scan_segment(content, *header, [](auto&&...) { return Result<>{}; });
  const BytesView place = BytesView(content).substr(SegmentFooter::place(*header));
  return {*header, scan->end, decode_footer(place, *header)};
}

Result<LogVerdict> verify(LogWorld& world) { return world.run(verify_log(world.core(), world.disk(), "/log")); }

// Segments with a footer, from the first on.
std::uint64_t footed(LogWorld& world) {
  std::uint64_t count = 0;
  while (*world.disk().exists(path(count + 1)) && parts_of(world.state.content(path(count + 1))).footer) ++count;
  return count;
}

TEST(LogFooter, opening_reads_the_batches_of_two_segments_however_many_there_are) {
  std::uint64_t read_before = 0;
  for (const std::int64_t count : {60, 600}) {
    LogWorld world;
    ASSERT_TRUE(world.open());
    append_both(world, 0, count);
    const std::uint64_t segments = world.log().bytes() / world.options().segment_bytes;
    const auto known = world.log().shards();
    world.crash();
    const std::uint64_t start = world.state.bytes_read();
    ASSERT_TRUE(world.open());
    const std::uint64_t read = world.state.bytes_read() - start;
    // Of every other one the header, the footer's header and its state.
    EXPECT_LE(read, 2 * world.options().segment_bytes + segments * 300) << segments << " segments";
    if (read_before > 0) EXPECT_GT(segments, 40U);
    read_before = read;
    EXPECT_EQ(world.log().shards().size(), known.size());
    expect_all(world, count);
  }
}

TEST(LogFooter, every_closed_segment_gets_one_and_it_tells_what_the_segment_holds) {
  LogWorld world;
  fill_log(world);
  const std::uint64_t segments = world.log().bytes() / world.options().segment_bytes;
  ASSERT_GT(segments, 5U);
  EXPECT_EQ(footed(world), segments - 1);
  std::uint64_t next = 1;
  for (std::uint64_t generation = 1; generation < segments; ++generation) {
    const Parts parts = parts_of(world.state.content(path(generation)));
    EXPECT_EQ(parts.footer->end, parts.end);
    EXPECT_EQ(parts.footer->first_sequence, next);
    next = parts.footer->next_sequence;
  }
}

TEST(LogFooter, a_missing_one_costs_a_read_and_is_written_again_as_it_was) {
  LogWorld world;
  fill_log(world);
  world.crash();
  const Bytes whole = world.state.content(path(2));
  Bytes content = whole;
  const std::uint64_t begins = parts_of(whole).footer_begins();
  content.replace(begins, content.size() - begins, content.size() - begins, '\0');
  world.state.put(path(2), content);
  ASSERT_TRUE(verify(world));
  const std::uint64_t start = world.state.bytes_read();
  ASSERT_TRUE(world.open());
  EXPECT_GE(world.state.bytes_read() - start, 3 * world.options().segment_bytes);
  expect_all(world);
  world.settle();
  EXPECT_EQ(world.state.content(path(2)), whole);
  ASSERT_TRUE(world.reopen_after_crash());
  expect_all(world);
}

TEST(LogFooter, any_flipped_bit_in_one_is_as_if_it_were_missing) {
  LogWorld world;
  fill_log(world);
  world.crash();
  const Bytes whole = world.state.content(path(2));
  for (std::uint64_t bit = parts_of(whole).footer_begins() * 8; bit < whole.size() * 8; ++bit) {
    world.state.flip_bit(path(2), bit);
    ASSERT_TRUE(verify(world)) << bit;
    ASSERT_TRUE(world.open()) << bit;
    ASSERT_EQ(world.log().shard(two).last, Offset(entries - 1));
    world.settle();
    ASSERT_EQ(world.state.content(path(2)), whole) << "bit " << bit << " is put right";
    world.kill();
  }
}

// Crashes in every turn, so also between closing a segment and its footer, and while that is written.
TEST(LogFooter, a_crash_at_any_turn_loses_nothing_synced_and_leaves_a_log_that_gets_its_footers) {
  bool met_without = false;
  for (std::uint64_t seed = 1; seed <= 600; ++seed) {
    LogWorld world(LogWorld::small(), seed);
    ASSERT_TRUE(world.open());
    world.settle();
    std::int64_t next = 0;
    while (world.log().bytes() == world.options().segment_bytes) {
      if (next > 0) ASSERT_TRUE(world.sync());
      ASSERT_TRUE(world.append(one, footer_term, Offset(next), footer_payload(next)));
      ++next;
    }
    world.state.faults.sync_takes = 1ms;
    for (std::uint64_t turns = seed % 20; turns > 0; --turns) world.step();
    const Sequence synced = world.log().synced();
    world.crash();
    const bool begun = parts_of(world.state.content(path(2))).end > segment_data_start;
    const Bytes first = world.state.content(path(1));
    const Parts parts = parts_of(first);
    const bool footer =
        parts.footer && parts.footer->holds(BytesView(first).substr(parts.footer_begins(), parts.footer->state_bytes));
    ASSERT_TRUE(begun || !footer) << "a footer tells that the next segment is begun";
    met_without = met_without || (begun && !footer);
    world.state.faults = {};
    ASSERT_TRUE(verify(world));
    ASSERT_TRUE(world.open());
    ASSERT_GE(world.log().synced(), synced);
    ASSERT_GE(world.log().shard(one).last, Offset(next - 2));
    world.settle();
    EXPECT_EQ(parts_of(world.state.content(path(1))).footer.has_value(), begun);
  }
  EXPECT_TRUE(met_without);
}

TEST(LogFooter, damage_before_one_is_found_by_reading_and_by_verifying) {
  LogWorld world;
  fill_log(world);
  world.crash();
  const Bytes whole = world.state.content(path(2));
  const Parts parts = parts_of(whole);
  std::uint64_t first_entry = 0;
  ASSERT_TRUE(scan_segment(whole, parts.header, [&](const RecordHeader& record, std::uint64_t position, BytesView) -> Result<> {
    if (record.kind == RecordKind::append && first_entry == 0) first_entry = position;
    return {};
  }));
  for (std::uint64_t bit = first_entry * 8; bit < parts.end * 8; bit += 131) {
    world.state.flip_bit(path(2), bit);
    const auto verdict = verify(world);
    ASSERT_FALSE(verdict) << bit;
    ASSERT_EQ(verdict.error(), Errc::corrupt);
    ASSERT_THAT(verdict.error().message(), testing::HasSubstr(path(2) + ": damaged at byte "));
    ASSERT_TRUE(world.open()) << bit;
    int failed = 0;
    for (const ShardId shard : {one, two}) {
      const auto read = world.read(shard, Offset(0));
      if (read) continue;
      ++failed;
      ASSERT_EQ(read.error(), Errc::corrupt);
      ASSERT_THAT(read.error().message(), testing::HasSubstr(path(2) + ": damaged at byte "));
    }
    ASSERT_GE(failed, 1) << bit;
    world.kill();
    world.state.flip_bit(path(2), bit);
  }
  const auto reports = [&] {
    world.state.flip_bit(path(2), first_entry * 8);
    return world.run(scan_log(world.core(), world.disk(), "/log", [](const LogRecordView&) { return Result<>{}; }));
  }();
  ASSERT_TRUE(reports);
  EXPECT_EQ((*reports)[0].state, SegmentReport::State::good);
  EXPECT_EQ((*reports)[1].state, SegmentReport::State::damaged);
  EXPECT_THAT((*reports)[1].reason, testing::HasSubstr("checksum"));
}

TEST(LogFooter, one_of_another_generation_is_never_believed) {
  LogWorld world;
  fill_log(world);
  world.crash();
  const Bytes older = world.state.content(path(1));
  const std::uint64_t begins = parts_of(older).footer_begins();
  for (const std::uint64_t generation : {2, 3}) {
    Bytes content = world.state.content(path(generation));
    content.replace(begins, content.size() - begins, older, begins);
    world.state.put(path(generation), content);
    EXPECT_FALSE(parts_of(content).footer);
  }
  ASSERT_TRUE(verify(world));
  ASSERT_TRUE(world.open());
  expect_all(world);
}

TEST(LogFooter, a_recycled_segment_still_holding_its_old_one_is_read_by_its_batches) {
  LogWorld world;
  ASSERT_TRUE(world.open());
  int met = 0;
  for (std::int64_t i = 0; i < 600; ++i) {
    ASSERT_TRUE(world.append(one, footer_term, Offset(i), footer_payload(i)));
    ASSERT_TRUE(world.note(world.log().trim(one, Offset(std::max<std::int64_t>(0, i - 60)))));
    ASSERT_TRUE(world.sync());
    world.settle();
    if (i % 50 != 49) continue;
    ASSERT_TRUE(world.reopen_after_crash());
    ASSERT_EQ(world.log().shard(one).last, Offset(i));
    ASSERT_EQ(world.read(one, Offset(i))->front().payload, footer_payload(i));
    for (const std::string& name : world.state.paths()) {
      if (!generation_of(BytesView(name).substr(name.rfind('/') + 1))) continue;
      const Bytes content = world.state.content(name);
      const BytesView old = BytesView(content).substr(content.size() - record_header_bytes);
      if (!parts_of(content).footer && old.find_first_not_of('\0') != BytesView::npos) ++met;
    }
  }
  EXPECT_GT(met, 3);
}

TEST(LogFooter, it_tells_that_the_next_segment_is_missing_or_emptied) {
  for (const bool missing : {true, false}) {
    LogWorld world;
    fill_log(world);
    world.crash();
    const std::uint64_t last = footed(world) + 1;   // the newest that was begun
    if (missing) {
      world.state.erase(path(last));
      world.state.erase(path(last + 1));
    } else {
      Bytes content = world.state.content(path(last));
      content.replace(segment_data_start, content.size(), content.size() - segment_data_start, '\0');
      world.state.put(path(last), content);
    }
    const auto verdict = verify(world);
    const auto opened = world.open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error(), Errc::corrupt);
    EXPECT_THAT(opened.error().message(), testing::HasSubstr(segment_name(last)));
    EXPECT_THAT(opened.error().message(), testing::HasSubstr(missing ? "is missing" : "is empty"));
    ASSERT_FALSE(verdict);
    EXPECT_EQ(verdict.error().message(), opened.error().message());
  }
}

TEST(LogFooter, a_forged_one_is_found_by_verifying) {
  LogWorld world;
  fill_log(world);
  world.crash();
  Bytes content = world.state.content(path(2));
  const Parts parts = parts_of(content);
  Bytes state = content.substr(parts.footer_begins(), parts.footer->state_bytes);
  state.back() = static_cast<char>(state.back() ^ 1);   // the place of an entry
  const auto forged = encode_footer(parts.header, *parts.footer, state);
  ASSERT_TRUE(forged);
  content.replace(parts.footer_begins(), forged->size(), *forged);
  world.state.put(path(2), content);
  const auto verdict = verify(world);
  ASSERT_FALSE(verdict);
  EXPECT_EQ(verdict.error(), Errc::corrupt);
  EXPECT_THAT(verdict.error().message(), testing::HasSubstr("the footer differs from what the segment holds"));
}

// Of a wrong chain of footers none is believed, and the batches say what is wrong.
TEST(LogFooter, one_that_does_not_follow_the_segment_before_is_not_believed) {
  LogWorld world;
  fill_log(world);
  world.crash();
  Bytes content = world.state.content(path(3));
  const Parts parts = parts_of(content);
  SegmentFooter footer = *parts.footer;
  ++footer.first_sequence;
  const auto forged = encode_footer(parts.header, footer, content.substr(parts.footer_begins(), footer.state_bytes));
  content.replace(parts.footer_begins(), forged->size(), *forged);
  world.state.put(path(3), content);
  const auto opened = world.open();
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message(), testing::HasSubstr(path(3) + ": damaged at byte"));
}

TEST(LogFooter, a_segment_without_room_for_one_goes_without) {
  LogWorld world;
  ASSERT_TRUE(world.open());
  // As large as fits: the head of a segment leaves a few bytes less each time.
  std::int64_t next = 0;
  for (std::size_t size = 13 << 10; next < 4 && size > 0; --size) {
    if (!world.append(one, footer_term, Offset(next), std::string(size, 'x'))) continue;
    ASSERT_TRUE(world.sync());
    world.settle();
    size = 13 << 10;
    ++next;
  }
  EXPECT_EQ(footed(world), 0U);
  ASSERT_TRUE(world.reopen_after_crash());
  EXPECT_EQ(world.log().shard(one).last, Offset(3));
  EXPECT_EQ(world.read(one, Offset(0))->size(), 4U);
}

TEST(LogFooter, many_shards_in_small_segments_still_leave_most_room_to_entries) {
  LogWorld world;
  ASSERT_TRUE(world.open());
  constexpr std::int64_t shards = 200, rounds = 10;
  for (std::int64_t i = 0; i < shards * rounds; ++i) {
    ASSERT_TRUE(world.append(ShardId(i % shards), footer_term, Offset(i / shards), "x"));
    if (i % 20 == 19) ASSERT_TRUE(world.sync());
  }
  world.settle();
  EXPECT_LT(world.log().bytes(), 25 * world.options().segment_bytes);
  const auto known = world.log().shards();
  ASSERT_TRUE(world.reopen_after_crash());
  EXPECT_EQ(world.log().shards().size(), known.size());
  for (std::int64_t shard = 0; shard < shards; ++shard) {
    ASSERT_EQ(world.read(ShardId(shard), Offset(0))->size(), static_cast<std::size_t>(rounds)) << shard;
  }
}

TEST(LogFooter, a_failed_write_of_one_stops_the_log_and_loses_nothing) {
  int stopped = 0;
  for (std::uint64_t nth = 1; nth < 12; ++nth) {
    LogWorld world;
    ASSERT_TRUE(world.open());
    world.settle();
    std::int64_t next = 0;
    while (world.log().bytes() == world.options().segment_bytes) {
      ASSERT_TRUE(world.append(one, footer_term, Offset(next), footer_payload(next)));
      ++next;
      if (world.log().bytes() == world.options().segment_bytes) ASSERT_TRUE(world.sync());
    }
    world.state.faults.fail_sync = nth;   // of the batch, the footer, or the next segment in the making
    const bool promised = world.sync().has_value();
    world.settle();
    const auto refused = world.append(one, footer_term, Offset(next), footer_payload(next));
    if (promised && !refused) {
      ++stopped;
      EXPECT_EQ(refused.error(), Errc::io_failed);
    }
    world.state.faults = {};
    ASSERT_TRUE(world.reopen_after_crash());
    if (promised) ASSERT_GE(world.log().shard(one).last, Offset(next - 1));
    ASSERT_TRUE(verify(world));
  }
  EXPECT_EQ(stopped, 1);
}

}  // namespace
}  // namespace skerry::disk
