// SPDX-License-Identifier: Apache-2.0
// What opening makes of files that were cut, flipped, lost or foreign.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.hpp"
#include "disk/log.hpp"
#include "disk/log_format.hpp"
#include "disk/log_inspect.hpp"
#include "disk/testing/log_world.hpp"

namespace skerry::disk {
namespace {

constexpr ShardId shard{7};
constexpr Term term{3};
constexpr int batches = 4, entries_each = 3;
const std::string first_file = "/log/" + segment_name(1);

std::string torn_payload(std::int64_t offset) { return fmt::format("payload of entry {}, long enough to be torn", offset); }

// A log of four synced batches in one segment; its file; where each batch ends.
struct Image {
  Bytes content;
  std::vector<std::uint64_t> ends;
  std::uint64_t end() const { return ends.back(); }
};

std::uint64_t end_of(const Bytes& content) {
  const auto header = decode_segment_header(content);
  return scan_segment(content, *header, [](auto&&...) { return Result<>{}; })->end;
}

Image make_image() {
  LogWorld world;
  EXPECT_TRUE(world.open());
  Image image;
  for (int batch = 0; batch < batches; ++batch) {
    for (int i = 0; i < entries_each; ++i) {
      const std::int64_t offset = batch * entries_each + i;
      EXPECT_TRUE(world.append(shard, term, Offset(offset), torn_payload(offset)));
    }
    EXPECT_TRUE(world.sync());
    image.content = world.state.content(first_file);
    image.ends.push_back(end_of(image.content));
  }
  return image;
}

// Opens a log of this one file. Entries that it shows must be right; how many there are, or the error.
Result<int> entries_after_opening(const Bytes& content) {
  LogWorld world;
  world.state.put(first_file, content);
  TRYV(world.open());
  const LogShard known = world.log().shard(shard);
  if (known.last == no_offset) return 0;
  TRY(const auto entries, world.read(shard, Offset(0)));
  for (const LogEntry& entry : entries) {
    EXPECT_EQ(entry.payload, torn_payload(entry.offset.value()));
    EXPECT_EQ(entry.term, term);
  }
  EXPECT_EQ(static_cast<std::int64_t>(entries.size()), known.last.value() + 1);
  // What was cut can be written again, and stays through another opening.
  const Offset next = known.last.next();
  EXPECT_TRUE(world.append(shard, term, next, torn_payload(next.value())));
  EXPECT_TRUE(world.sync());
  EXPECT_TRUE(world.reopen_after_crash());
  EXPECT_EQ(world.log().shard(shard).last, next);
  return static_cast<int>(entries.size());
}

TEST(LogDamage, a_file_cut_at_any_byte_keeps_every_whole_batch_before_the_cut) {
  const Image image = make_image();
  for (std::uint64_t size = segment_data_start; size <= image.end() + 10; ++size) {
    int whole = 0;
    while (whole < batches && image.ends[static_cast<std::size_t>(whole)] <= size) ++whole;
    const auto count = entries_after_opening(image.content.substr(0, size));
    ASSERT_TRUE(count) << size << ": " << count.error().message();
    ASSERT_EQ(*count, whole * entries_each) << size;
  }
}

TEST(LogDamage, zeros_from_any_byte_on_keep_every_whole_batch_before) {
  const Image image = make_image();
  for (std::uint64_t from = image.ends[1]; from <= image.end(); ++from) {
    Bytes content = image.content;
    content.replace(from, content.size() - from, content.size() - from, '\0');
    const auto count = entries_after_opening(content);
    ASSERT_TRUE(count) << from << ": " << count.error().message();
    ASSERT_GE(*count, 2 * entries_each);
    ASSERT_EQ(*count % entries_each, 0) << "a batch is kept or cut as a whole";
  }
}

TEST(LogDamage, any_flipped_bit_is_a_torn_tail_in_the_last_batch_and_refused_before_it) {
  const Image image = make_image();
  const std::uint64_t last_batch = image.ends[batches - 2];
  for (std::uint64_t bit = segment_data_start * 8; bit < image.end() * 8; ++bit) {
    Bytes content = image.content;
    content[bit / 8] = static_cast<char>(content[bit / 8] ^ (1 << (bit % 8)));
    const auto count = entries_after_opening(content);
    if (bit / 8 >= last_batch) {
      ASSERT_TRUE(count) << "bit " << bit << ": " << count.error().message();
      ASSERT_EQ(*count, (batches - 1) * entries_each);
    } else {
      ASSERT_FALSE(count) << "bit " << bit;
      ASSERT_EQ(count.error(), Errc::corrupt);
      ASSERT_THAT(count.error().message(), testing::HasSubstr(first_file + ": damaged at byte "));
    }
  }
}

TEST(LogDamage, what_rots_while_it_is_open_is_met_by_who_reads_it_and_remembered) {
  LogWorld world;
  ASSERT_TRUE(world.open());
  for (std::int64_t offset = 0; offset < 3; ++offset)
    ASSERT_TRUE(world.append(shard, term, Offset(offset), torn_payload(offset)));
  ASSERT_TRUE(world.sync());
  ASSERT_TRUE(world.read(shard, Offset(0)));
  EXPECT_FALSE(world.log().damage());
  world.state.flip_bit(first_file, world.state.content(first_file).find(torn_payload(1)) * 8);
  const auto read = world.read(shard, Offset(0));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error(), Errc::corrupt);
  ASSERT_TRUE(world.log().damage());
  EXPECT_THAT(world.log().damage()->message(), testing::HasSubstr(first_file + ": damaged at byte "));
  EXPECT_TRUE(world.append(shard, term, Offset(3), torn_payload(3)));   // what is new can be kept
}

TEST(LogDamage, any_flipped_bit_of_a_segment_header_is_refused) {
  const Image image = make_image();
  for (std::uint64_t bit = 0; bit < segment_header_bytes * 8; ++bit) {
    Bytes content = image.content;
    content[bit / 8] = static_cast<char>(content[bit / 8] ^ (1 << (bit % 8)));
    const auto count = entries_after_opening(content);
    ASSERT_FALSE(count) << "bit " << bit;
    ASSERT_EQ(count.error(), Errc::corrupt);
    ASSERT_THAT(count.error().message(), testing::HasSubstr(first_file));
  }
}

TEST(LogDamage, after_a_clean_stop_damage_to_the_last_batch_is_refused_too) {
  LogWorld world;
  ASSERT_TRUE(world.open());
  ASSERT_TRUE(world.append(shard, term, Offset(0), torn_payload(0)));
  ASSERT_TRUE(world.sync());
  const std::uint64_t end = end_of(world.state.content(first_file));
  ASSERT_TRUE(world.stop());
  world.state.flip_bit(first_file, (end - 1) * 8);
  world.crash();
  const auto opened = world.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), Errc::corrupt);
}

Bytes segment_of_version(char version) {
  Bytes content = encode_segment_header({.generation = 1, .marker = 5, .bytes = 16 << 10});
  content[12] = version;
  Bytes crc;
  append_little_endian(crc, crc32c(BytesView(content).substr(12, 52)));
  content.replace(8, 4, crc);
  content.resize(16 << 10, '\0');
  return content;
}

TEST(LogDamage, an_older_format_version_says_so) {
  const auto count = entries_after_opening(segment_of_version(1));
  ASSERT_FALSE(count);
  EXPECT_EQ(count.error(), Errc::unsupported);
  EXPECT_THAT(count.error().message(), testing::HasSubstr("log format version 1 is older than version 2"));
}

TEST(LogDamage, an_unknown_format_version_says_so) {
  const auto count = entries_after_opening(segment_of_version(9));
  ASSERT_FALSE(count);
  EXPECT_EQ(count.error(), Errc::unsupported);
  EXPECT_THAT(count.error().message(), testing::HasSubstr("log format version 9 (this program reads version 2)"));
}

// Three segments and more, all synced.
void fill_segments(LogWorld& world) {
  ASSERT_TRUE(world.open());
  for (std::int64_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(world.append(shard, term, Offset(i), std::string(500, 'x')));
    ASSERT_TRUE(world.sync());
  }
  world.settle();
  ASSERT_GT(world.log().bytes(), 3 * world.options().segment_bytes);
}

TEST(LogDamage, a_missing_segment_is_refused) {
  for (const std::uint64_t missing : {1, 2, 3}) {
    LogWorld world;
    fill_segments(world);
    world.crash();
    world.state.erase("/log/" + segment_name(missing));
    const auto opened = world.open();
    ASSERT_FALSE(opened) << missing;
    EXPECT_EQ(opened.error(), Errc::corrupt);
    EXPECT_THAT(opened.error().message(), testing::HasSubstr("missing"));
  }
}

TEST(LogDamage, the_end_of_an_older_segment_was_synced) {
  LogWorld world;
  fill_segments(world);
  world.crash();
  const std::string path = "/log/" + segment_name(2);
  Bytes content = world.state.content(path);
  const std::uint64_t end = end_of(content);
  content.replace(end, content.size() - end, content.size() - end, '\0');   // so that the segment is read whole
  content[end - 1] = static_cast<char>(content[end - 1] ^ 1);
  world.state.put(path, content);
  const auto opened = world.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), Errc::corrupt);
  EXPECT_THAT(opened.error().message(), testing::HasSubstr(path + ": damaged at byte"));
}

TEST(LogDamage, a_swapped_segment_is_refused) {
  LogWorld world;
  fill_segments(world);
  world.crash();
  world.state.put("/log/" + segment_name(2), world.state.content("/log/" + segment_name(3)));
  const auto opened = world.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), Errc::corrupt);
}

TEST(LogDamage, damage_that_appears_while_running_is_reported_by_reads) {
  LogWorld world;
  fill_segments(world);
  world.state.flip_bit("/log/" + segment_name(1), (segment_data_start + 400) * 8);
  const auto entries = world.read(shard, Offset(0));
  ASSERT_FALSE(entries);
  EXPECT_EQ(entries.error(), Errc::corrupt);
  EXPECT_THAT(entries.error().message(), testing::HasSubstr("/log/" + segment_name(1) + ": damaged at byte"));
}

TEST(LogInspect, scan_shows_every_record_and_verify_agrees_with_opening) {
  LogWorld world;
  fill_segments(world);
  const auto in_use = world.run(verify_log(world.core(), world.disk(), "/log"));
  ASSERT_TRUE(in_use);
  ASSERT_TRUE(in_use->in_use);
  EXPECT_THAT(*in_use->in_use, testing::HasSubstr("in use by process"));
  world.crash();

  std::vector<std::int64_t> offsets;
  const auto reports = world.run(scan_log(world.core(), world.disk(), "/log", [&](const LogRecordView& record) -> Result<> {
    if (record.header.kind == RecordKind::append) offsets.push_back(record.header.offset.value());
    return {};
  }));
  ASSERT_TRUE(reports);
  ASSERT_EQ(offsets.size(), 100U);
  EXPECT_EQ(offsets.back(), 99);
  EXPECT_EQ(reports->front().state, SegmentReport::State::good);
  EXPECT_EQ(reports->back().state, SegmentReport::State::never_begun);

  const auto verdict = world.run(verify_log(world.core(), world.disk(), "/log"));
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->shards.at(shard).last, Offset(99));
  EXPECT_EQ(verdict->last_sequence, 100U);
  EXPECT_FALSE(verdict->torn);
  EXPECT_FALSE(verdict->in_use);
}

TEST(LogInspect, a_torn_tail_and_damage_are_told_apart_and_nothing_is_changed) {
  const Image image = make_image();
  for (const bool damage : {false, true}) {
    LogWorld world;
    Bytes content = image.content;
    const std::uint64_t bad = (damage ? image.ends[1] : image.end()) - 1;
    content[bad] = static_cast<char>(content[bad] ^ 1);
    world.state.put(first_file, content);
    const auto verdict = world.run(verify_log(world.core(), world.disk(), "/log"));
    const auto reports = world.run(scan_log(world.core(), world.disk(), "/log", [](const LogRecordView&) { return Result<>{}; }));
    ASSERT_TRUE(reports);
    EXPECT_EQ(world.state.content(first_file), content);
    if (damage) {
      EXPECT_EQ(verdict.error(), Errc::corrupt);
      EXPECT_EQ(reports->front().state, SegmentReport::State::damaged);
      EXPECT_EQ(reports->front().records, 1U + entries_each);   // the summary and the first batch
    } else {
      ASSERT_TRUE(verdict);
      ASSERT_TRUE(verdict->torn);
      EXPECT_THAT(*verdict->torn, testing::HasSubstr(first_file));
      EXPECT_EQ(reports->front().state, SegmentReport::State::torn);
    }
  }
}

}  // namespace
}  // namespace skerry::disk
