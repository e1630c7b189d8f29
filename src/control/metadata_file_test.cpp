// SPDX-License-Identifier: Apache-2.0
#include "control/metadata_file.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "disk/testing/simulated_disk.hpp"
#include "net/testing/world.hpp"

namespace skerry::control {
namespace {

constexpr const char* status_path = "data/cluster-status";

// A machine that can be switched off: what was not synced is forgotten.
struct MetadataFileTest : testing::Test {
  net::testing::ManualWorld world;
  disk::SimulatedDiskState state;
  disk::SimulatedDisk disk{world.core, state};
  Random random{1};
  std::unique_ptr<MetadataFile> metadata = make("one:1");

  std::unique_ptr<MetadataFile> make(std::string address) {
    return std::make_unique<MetadataFile>(world.core, disk, MetadataFile::Options{"data", std::move(address)});
  }
  template <class T>
  static Task<> keep(Task<T> task, std::optional<T>& into) {
    into.emplace(co_await std::move(task));
  }
  template <class T>
  T run(Task<T> task) {
    std::optional<T> result;
    world.tasks.spawn(keep(std::move(task), result));
    for (int turns = 0; !result && turns < 10'000; ++turns) world.advance(1ms);
    return *std::move(result);
  }
  static Task<Result<>> stopped(Metadata& metadata) {
    co_await metadata.stop();
    co_return Result<>{};
  }
  // The process goes and another begins; with the power, or in order.
  void crash() {
    world.run(metadata->stop());   // writes nothing: what was given is written or has failed
    state.crash(random);
    metadata = make("one:1");
  }
  void restart() {
    world.run(metadata->stop());
    metadata = make("one:1");
  }
  Result<Metadata::Office> office() { return run(metadata->take_office()); }
  Result<> commit(std::string key, std::string value) { return run(metadata->commit({{std::move(key), std::move(value)}})); }
  void TearDown() override {
    state.faults = {};
    EXPECT_TRUE(run(stopped(*metadata)));
  }
};

TEST_F(MetadataFileTest, a_new_folder_is_an_empty_status_and_every_office_a_higher_epoch) {
  const auto first = office();
  ASSERT_TRUE(first.has_value()) << first.error().message();
  EXPECT_EQ(first->epoch, 1);
  EXPECT_TRUE(first->items.empty());
  restart();
  EXPECT_EQ(office()->epoch, 2);
  EXPECT_EQ(office()->epoch, 3);
}

TEST_F(MetadataFileTest, what_was_answered_survives_a_loss_of_power) {
  ASSERT_TRUE(office());
  ASSERT_TRUE(run(metadata->commit({{"shard/1", "a"}, {"shard/2", std::string("\0\n", 2)}})));
  ASSERT_TRUE(run(metadata->commit({{"shard/1", std::nullopt}, {"node/1", "n"}})));
  crash();
  const auto again = office();
  ASSERT_TRUE(again.has_value()) << again.error().message();
  EXPECT_EQ(again->epoch, 2);
  EXPECT_EQ(again->items, (MetadataItems{{"shard/2", std::string("\0\n", 2)}, {"node/1", "n"}}));
}

// Without the office of the process being wound up: its tasks are dropped where they stand.
TEST(MetadataFileCrash, a_crash_at_any_moment_leaves_what_was_answered_and_whole_changes) {
  int crashed_with_answers = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    disk::SimulatedDiskState state;
    std::int64_t epoch = 0;
    int answered = 0;
    for (int life = 0; life < 4; ++life) {
      ManualClock clock;
      Core core{CoreId{0}, clock, seed};
      disk::SimulatedDisk disk{core, state};
      state.faults.sync_takes = 1ms;
      MetadataFile metadata(core, disk, {"data", "one:1"});
      std::optional<Result<Metadata::Office>> office;
      std::vector<std::optional<Result<>>> commits(5);
      TaskScope tasks{core};
      const auto step = [&] {
        while (core.run_turn()) {}
        clock.advance(std::max(Duration(1), core.next_timer().value_or(clock.now()) - clock.now()));
      };
      tasks.spawn(MetadataFileTest::keep(metadata.take_office(), office));
      std::uint64_t steps = random.below(40);
      while (!office && steps > 0) step(), --steps;
      if (office) {
        ASSERT_TRUE(office->has_value()) << office->error().message();
        EXPECT_GT((*office)->epoch, epoch);
        epoch = (*office)->epoch;
        const auto& items = (*office)->items;
        ASSERT_EQ(items.contains("left"), items.contains("right"));
        const int found = items.contains("left") ? std::stoi(items.at("left")) : 0;
        EXPECT_GE(found, answered) << "seed " << seed;
        if (found > 0) EXPECT_EQ(items.at("right"), items.at("left"));
        if (answered > 0) ++crashed_with_answers;
        answered = found;
        for (std::size_t at = 0; at < commits.size(); ++at) {
          const std::string value = std::to_string(found + static_cast<int>(at) + 1);
          tasks.spawn(MetadataFileTest::keep(metadata.commit({{"left", value}, {"right", value}}), commits[at]));
          if (random.chance(0.5) && steps > 0) step(), --steps;
        }
        while (steps > 0) step(), --steps;
        for (std::size_t at = 0; at < commits.size(); ++at) {
          if (commits[at] && commits[at]->has_value()) answered = found + static_cast<int>(at) + 1;
        }
      }
      core.drop_frames();
      state.crash(random);
    }
  }
  EXPECT_GT(crashed_with_answers, 100) << "else this tries too little";
}

TEST_F(MetadataFileTest, commits_that_come_during_a_write_share_the_next) {
  ASSERT_TRUE(office());
  state.faults.sync_takes = 5ms;
  const std::uint64_t before = state.syncs();
  std::vector<std::optional<Result<>>> answers(100);
  for (std::size_t at = 0; at < answers.size(); ++at) {
    world.tasks.spawn(keep(metadata->commit({{"k" + std::to_string(at), "v"}}), answers[at]));
    if (at == 0) world.settle();
  }
  world.advance(1s);
  for (const auto& answer : answers) ASSERT_TRUE(answer && answer->has_value());
  EXPECT_LE(state.syncs() - before, 4U) << "two writes, each a file and its folder";
  restart();
  EXPECT_EQ(office()->items.size(), 100U);
}

TEST_F(MetadataFileTest, a_second_process_waits_until_the_first_is_gone) {
  ASSERT_TRUE(office());
  ASSERT_TRUE(commit("a", "1"));
  const auto second = make("two:2");
  std::optional<Result<Metadata::Office>> taken;
  world.tasks.spawn(keep(second->take_office(), taken));
  world.advance(1s);
  EXPECT_FALSE(taken);
  EXPECT_EQ(second->holder(), "one:1");
  EXPECT_EQ(metadata->holder(), "one:1");
  world.run(metadata->stop());
  world.advance(1s);
  ASSERT_TRUE(taken);
  EXPECT_EQ((*taken)->epoch, 2);
  EXPECT_EQ((*taken)->items.at("a"), "1");
  EXPECT_EQ(second->holder(), "two:2");
  EXPECT_EQ(run(metadata->commit({})).error(), Errc::aborted);
  world.run(second->stop());
}

TEST_F(MetadataFileTest, stopping_ends_the_wait_for_office) {
  ASSERT_TRUE(office());
  const auto second = make("two:2");
  std::optional<Result<Metadata::Office>> taken;
  world.tasks.spawn(keep(second->take_office(), taken));
  world.advance(100ms);
  world.run(second->stop());
  world.advance(100ms);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->error(), Errc::closed);
}

Task<> note_ousted(Metadata& metadata, bool& ousted) {
  co_await metadata.wait_ousted();
  ousted = true;
}

TEST_F(MetadataFileTest, a_write_that_fails_ends_the_office_and_loses_nothing) {
  ASSERT_TRUE(office());
  ASSERT_TRUE(commit("a", "1"));
  bool ousted = false;
  world.tasks.spawn(note_ousted(*metadata, ousted));
  world.settle();
  EXPECT_FALSE(ousted);
  state.faults.fail_sync = 1;
  EXPECT_EQ(commit("a", "2").error(), Errc::io_failed);
  world.settle();
  EXPECT_TRUE(ousted);
  EXPECT_EQ(commit("a", "3").error(), Errc::aborted);
  const auto again = office();
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->items.at("a"), "1");
}

TEST_F(MetadataFileTest, a_full_disk_is_told_and_loses_nothing) {
  ASSERT_TRUE(office());
  ASSERT_TRUE(commit("a", "1"));
  state.faults.capacity = state.bytes_used() + 100;
  const auto refused = commit("b", Bytes(1000, 'x'));
  EXPECT_EQ(refused.error(), Errc::io_failed);
  EXPECT_NE(refused.error().message().find("data/cluster-status"), std::string::npos) << refused.error().message();
  state.faults.capacity.reset();
  EXPECT_EQ(office()->items, (MetadataItems{{"a", "1"}}));
}

TEST_F(MetadataFileTest, too_much_is_refused_before_anything_is_changed) {
  ASSERT_TRUE(office());
  EXPECT_EQ(commit("a", Bytes(9 << 20, 'x')).error(), Errc::resource_exhausted);
  EXPECT_TRUE(commit("b", "fits")) << "and the office is kept";
  restart();
  EXPECT_EQ(office()->items, (MetadataItems{{"b", "fits"}}));
}

TEST_F(MetadataFileTest, a_cut_or_changed_file_is_refused_wherever_it_was) {
  ASSERT_TRUE(office());
  ASSERT_TRUE(commit("shard/1", "value"));
  restart();
  const Bytes whole = state.content(status_path);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    state.put(status_path, whole.substr(0, length));
    ASSERT_EQ(office().error(), Errc::corrupt) << length;
  }
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    state.put(status_path, whole);
    state.flip_bit(status_path, bit);
    ASSERT_FALSE(office().has_value()) << bit;
  }
  state.put(status_path, whole);
  EXPECT_EQ(office()->items.at("shard/1"), "value");
}

TEST_F(MetadataFileTest, refusals_name_the_file_and_the_remedy) {
  ASSERT_TRUE(office());
  restart();
  const Bytes whole = state.content(status_path);
  state.put(status_path, "");
  EXPECT_EQ(office().error().text, "data/cluster-status was emptied (its checksum does not match): restore it from a backup");
  state.put(status_path, "skerry cluster status, format 2, with something new\n");
  EXPECT_EQ(office().error(), Errc::unsupported);
  EXPECT_EQ(office().error().text,
            "data/cluster-status has format 2, and this program reads up to 1: start the newer Skerry that wrote it");
  state.erase(status_path);
  EXPECT_EQ(office().error(), Errc::corrupt);
  EXPECT_EQ(office().error().text, "data/cluster-status is missing: restore it from a backup");
  state.put(status_path, whole);
  EXPECT_TRUE(office());
}

TEST_F(MetadataFileTest, a_folder_that_is_not_its_own_is_left_alone) {
  state.put("data/thesis.tex", "\\begin{document}");
  const auto refused = office();
  EXPECT_EQ(refused.error(), Errc::invalid_argument);
  EXPECT_NE(refused.error().text.find("thesis.tex"), std::string::npos);
  state.erase("data/thesis.tex");
  state.put("data/skerry-coordinator", "skerry coordinator folder, format 1, kept by raft\n");
  EXPECT_EQ(office().error(), Errc::invalid_argument);
  state.put("data/skerry-coordinator", "skerry coordinator folder, format 9, kept by raft\n");
  EXPECT_EQ(office().error(), Errc::unsupported);
  state.put("data/skerry-coordinator", "");
  EXPECT_EQ(office().error(), Errc::corrupt);
}

}  // namespace
}  // namespace skerry::control
