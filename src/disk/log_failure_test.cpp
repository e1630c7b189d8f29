// SPDX-License-Identifier: Apache-2.0
// Disks that are full, slow, or fail.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "disk/log.hpp"
#include "disk/log_format.hpp"
#include "disk/testing/log_world.hpp"

namespace skerry::disk {
namespace {

constexpr Term failing_term{1};

struct Ear final : LogListener {
  std::vector<std::uint64_t> synced;
  std::vector<std::string> stopped;
  void on_synced(Sequence up_to) override { synced.push_back(up_to.value()); }
  void on_stopped(const Error& reason) override { stopped.push_back(reason.message()); }
};

Task<> wait_into(Log& log, Sequence sequence, std::vector<std::string>& outcomes) {
  const auto result = co_await log.wait_synced(sequence);
  outcomes.push_back(result ? fmt::format("{} synced", sequence.value()) : result.error().message());
}

TEST(LogFailure, a_failed_sync_stops_the_log_for_good_and_tells_everybody) {
  LogWorld world;
  ASSERT_TRUE(world.open());
  ASSERT_TRUE(world.append(one, failing_term, Offset(0), "kept"));
  ASSERT_TRUE(world.sync());
  world.settle();
  Ear ear;
  world.log().add_listener(ear);
  world.state.faults.fail_sync = 1;
  ASSERT_TRUE(world.append(one, failing_term, Offset(1), "lost"));
  const auto waited = world.sync();
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error(), Errc::io_failed);
  EXPECT_THAT(waited.error().message(), testing::HasSubstr("/log/" + segment_name(1) + ": cannot sync"));
  ASSERT_EQ(ear.stopped.size(), 1U);
  EXPECT_THAT(ear.stopped[0], testing::HasSubstr("the log has stopped"));
  EXPECT_TRUE(ear.synced.empty());
  EXPECT_EQ(world.append(one, failing_term, Offset(2), "refused").error(), Errc::io_failed);
  EXPECT_EQ(world.log().synced(), Sequence(1));
  EXPECT_FALSE(world.stop());
  ASSERT_TRUE(world.reopen_after_crash());
  EXPECT_EQ(world.log().shard(one).last, Offset(0));
}

// After a failed sync the system takes the bytes for synced, and a process that reads them back from memory would too.
TEST(LogFailure, what_a_failed_sync_left_in_memory_is_written_again_before_it_counts) {
  LogWorld world;
  ASSERT_TRUE(world.open());
  world.settle();
  world.state.faults.fail_sync = 1;
  ASSERT_TRUE(world.append(one, failing_term, Offset(0), "only in memory"));
  ASSERT_FALSE(world.sync());
  world.kill();
  ASSERT_TRUE(world.open());
  ASSERT_EQ(world.log().synced(), Sequence(1));
  ASSERT_TRUE(world.reopen_after_crash());
  EXPECT_EQ(world.log().shard(one).last, Offset(0));
}

TEST(LogFailure, a_failed_write_stops_the_log_for_good) {
  LogWorld world;
  ASSERT_TRUE(world.open());
  ASSERT_TRUE(world.append(one, failing_term, Offset(0), "kept"));
  ASSERT_TRUE(world.sync());
  world.settle();
  world.state.faults.fail_write = 1;
  ASSERT_TRUE(world.append(one, failing_term, Offset(1), "lost"));
  EXPECT_EQ(world.sync().error(), Errc::io_failed);
  EXPECT_EQ(world.log().record_term(one, Term(9)).error(), Errc::io_failed);
  ASSERT_TRUE(world.reopen_after_crash());
  EXPECT_EQ(world.log().shard(one).last, Offset(0));
}

TEST(LogFailure, batches_become_durable_in_order_while_the_next_ones_gather) {
  LogWorld world;
  ASSERT_TRUE(world.open());
  world.settle();
  Ear ear;
  world.log().add_listener(ear);
  world.state.faults.sync_takes = 10ms;
  TaskScope tasks(world.core());
  std::vector<std::string> outcomes;
  for (std::int64_t i = 0; i < 6; ++i) {
    const auto sequence = world.append(one, failing_term, Offset(i), "x");
    ASSERT_TRUE(sequence);
    tasks.spawn(wait_into(world.log(), *sequence, outcomes));
    world.settle();
  }
  ASSERT_TRUE(world.sync());
  world.settle();
  EXPECT_EQ(ear.synced, (std::vector<std::uint64_t>{1, 6})) << "all that came during the first sync is one batch";
  EXPECT_THAT(outcomes, testing::ElementsAre("1 synced", "2 synced", "3 synced", "4 synced", "5 synced", "6 synced"));
  world.log().remove_listener(ear);
}

TEST(LogFailure, a_full_disk_refuses_appends_but_keeps_what_is_there_and_takes_trims) {
  LogWorld world;
  ASSERT_TRUE(world.open());
  world.settle();   // the second segment is made
  world.state.faults.capacity = world.state.bytes_used();
  std::int64_t next = 0;
  Result<Sequence> refused = Sequence(0);
  while (refused && next < 1000) {
    refused = world.append(one, failing_term, Offset(next), std::string(300, 'x'));
    world.settle();
    next += refused ? 1 : 0;
  }
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::resource_exhausted);
  EXPECT_THAT(refused.error().message(), testing::HasSubstr("the disk is full"));
  EXPECT_GT(next, 50) << "both segments are filled first";
  ASSERT_TRUE(world.sync());
  const auto entries = world.read(one, Offset(0));
  ASSERT_TRUE(entries);
  EXPECT_EQ(static_cast<std::int64_t>(entries->size()), next);

  // Letting go of the entries frees the first segment, and the log goes on.
  ASSERT_TRUE(world.note(world.log().trim(one, Offset(next - 1))));
  ASSERT_TRUE(world.sync());
  world.settle();
  ASSERT_TRUE(world.append(one, failing_term, Offset(next), std::string(300, 'x')));
  ASSERT_TRUE(world.sync());
  ASSERT_TRUE(world.reopen_after_crash());
  EXPECT_EQ(world.log().shard(one).last, Offset(next));
}

TEST(LogFailure, when_somebody_else_frees_space_the_log_goes_on_by_itself) {
  LogWorld world;
  ASSERT_TRUE(world.open());
  world.settle();
  world.state.faults.capacity = world.state.bytes_used();
  std::int64_t next = 0;
  while (next < 1000 && world.append(one, failing_term, Offset(next), std::string(300, 'x'))) {
    ++next;
    world.settle();
  }
  ASSERT_LT(next, 1000);
  world.state.faults.capacity.reset();
  world.clock.advance(1s);
  world.settle();
  EXPECT_TRUE(world.append(one, failing_term, Offset(next), std::string(300, 'x')));
  EXPECT_TRUE(world.sync());
}

TEST(LogFailure, opening_on_a_full_disk_says_so) {
  LogWorld world;
  world.state.faults.capacity = 5000;
  const auto opened = world.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), Errc::resource_exhausted);
}

TEST(LogFailure, stopping_while_the_disk_is_full_fails_those_who_wait_for_space) {
  LogWorld world;
  ASSERT_TRUE(world.open());
  world.state.faults.capacity = world.state.bytes_used();   // the second segment is not made yet
  std::int64_t next = 0;
  while (next < 1000 && world.append(one, failing_term, Offset(next), std::string(300, 'x')))
    ++next;   // into memory, in one turn
  TaskScope tasks(world.core());
  std::vector<std::string> outcomes;
  tasks.spawn(wait_into(world.log(), Sequence(static_cast<std::uint64_t>(next)), outcomes));
  world.settle();
  EXPECT_TRUE(outcomes.empty());
  const auto stopped = world.run(world.log().stop());
  world.settle();
  ASSERT_FALSE(stopped);
  ASSERT_EQ(outcomes.size(), 1U);
  EXPECT_THAT(outcomes[0], testing::HasSubstr("the disk is full"));
}

TEST(LogFailure, a_record_larger_than_a_segment_is_refused_and_changes_nothing) {
  LogWorld world;
  ASSERT_TRUE(world.open());
  const auto refused = world.append(one, failing_term, Offset(0), std::string(20 << 10, 'x'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::resource_exhausted);
  EXPECT_THAT(refused.error().message(), testing::HasSubstr("does not fit in a log segment of 16384 bytes"));
  EXPECT_TRUE(world.log().shards().empty());
  EXPECT_TRUE(world.append(one, failing_term, Offset(0), std::string(11 << 10, 'x')));
  EXPECT_TRUE(world.append(one, failing_term, Offset(1), std::string(11 << 10, 'x')));
  EXPECT_TRUE(world.sync());
}

TEST(LogFailure, what_gathers_in_memory_is_bounded) {
  LogOptions options = LogWorld::small();
  options.gathered_bytes_max = 2000;
  LogWorld world(options);
  ASSERT_TRUE(world.open());
  world.settle();
  world.state.faults.sync_takes = 1s;
  Result<Sequence> last = Sequence(0);
  for (std::int64_t i = 0; last && i < 100; ++i) last = world.append(one, failing_term, Offset(i), std::string(100, 'x'));
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error(), Errc::resource_exhausted);
  ASSERT_TRUE(world.sync());
  EXPECT_TRUE(world.append(one, failing_term, world.log().shard(one).last.next(), "x"));
}

TEST(LogFailure, a_second_log_in_the_folder_is_refused) {
  LogWorld world;
  ASSERT_TRUE(world.open());
  const auto second = world.run(Log::open(world.core(), world.disk(), "/log", world.options()));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(), Errc::already_exists);
}

TEST(LogFailure, a_deleted_shard_starts_anew_and_leaves_its_neighbours_alone) {
  LogWorld world;
  ASSERT_TRUE(world.open());
  ASSERT_TRUE(world.append(one, Term(5), Offset(0), "old"));
  ASSERT_TRUE(world.append(two, failing_term, Offset(0), "neighbour"));
  ASSERT_TRUE(world.note(world.log().delete_shard(one)));
  EXPECT_EQ(world.log().shard(one).last, no_offset);
  ASSERT_TRUE(world.append(one, Term(1), Offset(0), "new"));
  ASSERT_TRUE(world.sync());
  ASSERT_TRUE(world.reopen_after_crash());
  EXPECT_EQ(world.log().shard(one).term, Term(1));
  EXPECT_EQ(world.read(one, Offset(0))->front().payload, "new");
  EXPECT_EQ(world.read(two, Offset(0))->front().payload, "neighbour");
}

TEST(LogFailure, terms_and_snapshots_outlive_the_segments_they_were_written_in) {
  LogWorld world;
  ASSERT_TRUE(world.open());
  ASSERT_TRUE(world.note(world.log().record_term(two, Term(8))));
  ASSERT_TRUE(world.note(world.log().snapshot_installed(ShardId(3), Term(4), Offset(99))));
  for (std::int64_t i = 0; i < 200; ++i) {
    ASSERT_TRUE(world.append(one, failing_term, Offset(i), std::string(500, 'x')));
    ASSERT_TRUE(world.note(world.log().trim(one, Offset(i))));
    ASSERT_TRUE(world.sync());
  }
  world.settle();
  ASSERT_FALSE(*world.disk().exists("/log/" + segment_name(1)));
  ASSERT_TRUE(world.reopen_after_crash());
  EXPECT_EQ(world.log().shard(two).term, Term(8));
  EXPECT_EQ(world.log().shard(ShardId(3)).snapshot, Offset(99));
  EXPECT_EQ(world.log().shard(ShardId(3)).last_term, Term(4));
  EXPECT_TRUE(world.append(ShardId(3), Term(4), Offset(100), "after the snapshot"));
  EXPECT_EQ(world.log().record_term(two, Term(7)).error(), Errc::invalid_argument);
}

TEST(LogFailure, the_shard_that_pins_the_oldest_segment_is_named) {
  LogWorld world;
  ASSERT_TRUE(world.open());
  ASSERT_TRUE(world.append(two, failing_term, Offset(0), "pins"));
  for (std::int64_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(world.append(one, failing_term, Offset(i), std::string(500, 'x')));
    ASSERT_TRUE(world.note(world.log().trim(one, Offset(i))));
    ASSERT_TRUE(world.sync());
  }
  EXPECT_EQ(world.log().oldest_holder(), two);
  EXPECT_GT(world.log().bytes_since(two, Offset(0)), world.log().bytes_since(one, Offset(99)));
  ASSERT_TRUE(world.note(world.log().trim(two, Offset(1))));
  ASSERT_TRUE(world.sync());
  world.settle();
  EXPECT_LE(world.log().bytes(), 2 * world.options().segment_bytes);
}

}  // namespace
}  // namespace skerry::disk
