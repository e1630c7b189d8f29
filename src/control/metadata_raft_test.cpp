// SPDX-License-Identifier: Apache-2.0
#include "control/metadata_raft.hpp"

#include <gtest/gtest.h>

#include <map>

#include "control/testing/raft_world.hpp"

namespace skerry::control {
namespace {

MetadataItems items_of(RaftWorld& world, std::uint32_t machine) { return (*world.at(machine).office)->items; }
std::int64_t epoch_of(RaftWorld& world, std::uint32_t machine) { return (*world.at(machine).office)->epoch; }
std::uint32_t another(std::uint32_t machine) { return machine == 0 ? 1 : 0; }

bool logged(const RaftWorld& world, const std::string& text) {
  return std::ranges::any_of(world.lines, [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

TEST(MetadataRaft, three_elect_one_and_all_of_them_know_whom) {
  RaftWorld world(3);
  world.run_all();
  const auto first = world.holder(2s);
  ASSERT_TRUE(first);
  EXPECT_TRUE(items_of(world, *first).empty());
  const std::string address = world.at(*first).name + ":public";
  EXPECT_TRUE(world.wait([&] {
    return std::ranges::all_of(std::vector{0U, 1U, 2U}, [&](auto each) { return world.at(each).metadata->holder() == address; });
  }));
  EXPECT_TRUE(world.commit(*first, "cluster", "x"));
  EXPECT_EQ(world.commit(another(*first), "cluster", "y").error(), Errc::aborted);
}

TEST(MetadataRaft, when_the_holder_dies_another_has_everything_within_two_seconds) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    RaftWorld world(3, seed);
    world.run_all();
    const auto first = world.holder();
    ASSERT_TRUE(first);
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(world.commit(*first, "key" + std::to_string(i), "value"));
    const std::int64_t epoch = epoch_of(world, *first);
    world.crash(*first);
    const auto second = world.holder(2s);
    ASSERT_TRUE(second) << "seed " << seed;
    EXPECT_EQ(items_of(world, *second).size(), 20U);
    EXPECT_GT(epoch_of(world, *second), epoch);
    ASSERT_TRUE(world.commit(*second, "more", "value"));
    world.run(*first);
    EXPECT_TRUE(world.wait([&] { return world.at(*first).metadata->holder() == world.at(*second).name + ":public"; }));
    world.crash(*second);
    const auto third = world.holder(3s);
    ASSERT_TRUE(third) << "seed " << seed;
    EXPECT_EQ(items_of(world, *third).size(), 21U);
  }
}

TEST(MetadataRaft, who_is_cut_off_notices_and_commits_nothing) {
  RaftWorld world(3);
  world.run_all();
  const auto first = world.holder();
  ASSERT_TRUE(first);
  ASSERT_TRUE(world.commit(*first, "key", "before"));
  world.cut_off(*first);
  auto& lost = world.begin_commit(*first, "key", "lost");
  ASSERT_TRUE(world.wait([&] { return world.at(*first).ousted; }, 400ms));
  EXPECT_EQ(world.at(*first).metadata->holder(), "");
  ASSERT_TRUE(world.wait([&] { return lost.has_value(); }));
  EXPECT_EQ(lost->error(), Errc::aborted);
  const auto second = world.holder(2s);
  ASSERT_TRUE(second);
  EXPECT_EQ(items_of(world, *second).at("key"), "before");
  ASSERT_TRUE(world.commit(*second, "key", "after"));
  const std::int64_t epoch = epoch_of(world, *second);
  world.heal();
  EXPECT_TRUE(world.wait([&] { return world.at(*first).metadata->holder() == world.at(*second).name + ":public"; }));
  world.pass(3s);
  EXPECT_TRUE(world.at(*second).in_office()) << "who comes back disturbs nobody";
  EXPECT_EQ(epoch_of(world, *second), epoch);
}

TEST(MetadataRaft, one_of_three_can_do_nothing_alone) {
  RaftWorld world(3);
  world.run(0);
  EXPECT_FALSE(world.holder(5s));
  world.run(1);
  EXPECT_TRUE(world.holder(2s));
}

TEST(MetadataRaft, one_alone_by_its_configuration_needs_nobody) {
  RaftWorld world(1);
  world.run(0);
  ASSERT_TRUE(world.holder(1s));
  ASSERT_TRUE(world.commit(0, "key", "value"));
  const std::int64_t epoch = epoch_of(world, 0);
  world.crash(0);
  world.run(0);
  ASSERT_TRUE(world.holder(1s));
  EXPECT_EQ(items_of(world, 0).at("key"), "value");
  EXPECT_GT(epoch_of(world, 0), epoch);
}

TEST(MetadataRaft, all_of_them_find_everything_after_a_loss_of_power) {
  RaftWorld world(3);
  world.run_all();
  const auto first = world.holder();
  ASSERT_TRUE(first);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(world.commit(*first, "key" + std::to_string(i % 10), std::to_string(i)));
  for (std::uint32_t each = 0; each < 3; ++each) world.crash(each);
  world.run_all();
  const auto again = world.holder(3s);
  ASSERT_TRUE(again);
  EXPECT_EQ(items_of(world, *again).size(), 10U);
  EXPECT_EQ(items_of(world, *again).at("key9"), "49");
}

TEST(MetadataRaft, who_stops_in_order_is_replaced_at_once) {
  RaftWorld world(3);
  world.run_all();
  const auto first = world.holder();
  ASSERT_TRUE(first);
  ASSERT_TRUE(world.commit(*first, "key", "value"));
  world.stop(*first);
  const auto second = world.holder(250ms);
  ASSERT_TRUE(second) << "without waiting for promises to end";
  EXPECT_EQ(items_of(world, *second).at("key"), "value");
}

TEST(MetadataRaft, commits_that_come_together_are_all_made_in_order) {
  RaftWorld world(3);
  world.run_all();
  const auto first = world.holder();
  ASSERT_TRUE(first);
  std::vector<std::optional<Result<>>*> answers;
  for (int i = 0; i < 300; ++i) answers.push_back(&world.begin_commit(*first, "key", std::to_string(i)));
  ASSERT_TRUE(world.wait([&] { return std::ranges::all_of(answers, [](const auto* each) { return each->has_value(); }); }));
  for (const auto* each : answers) EXPECT_TRUE((*each)->has_value());
  world.stop(*first);
  const auto second = world.holder();
  ASSERT_TRUE(second);
  EXPECT_EQ(items_of(world, *second).at("key"), "299");
}

TEST(MetadataRaft, the_log_is_cut_by_snapshots_and_who_was_away_gets_one) {
  RaftWorld world(3);
  world.snapshot_after_bytes = 50'000;
  world.run_all();
  const auto first = world.holder();
  ASSERT_TRUE(first);
  const std::uint32_t away = another(*first);
  ASSERT_TRUE(world.commit(*first, "old", "gone by then"));
  world.crash(away);
  for (int i = 0; i < 300; ++i)
    ASSERT_TRUE(world.commit(*first, "key" + std::to_string(i % 7), Bytes(1000, static_cast<char>('a' + i % 26))));
  const auto& paths = world.at(*first).platters.paths();
  EXPECT_NE(std::ranges::find(paths, "data/raft-snapshot"), paths.end());
  world.run(away);
  ASSERT_TRUE(world.wait([&] {
    const auto there = world.at(away).platters.paths();
    return std::ranges::find(there, "data/raft-snapshot") != there.end();
  })) << "it was sent the status itself";
  world.pass(200ms);
  for (std::uint32_t each = 0; each < 3; ++each) world.crash(each);
  world.run(away);
  world.run(another(away) == *first ? 2 : another(away));
  const auto again = world.holder(3s);
  ASSERT_TRUE(again);
  EXPECT_EQ(items_of(world, *again).size(), 8U);
  EXPECT_EQ(items_of(world, *again).at("key5"), Bytes(1000, static_cast<char>('a' + 299 % 26)));
}

TEST(MetadataRaft, a_large_status_travels_in_parts) {
  RaftWorld world(3);
  world.snapshot_after_bytes = 1 << 20;
  world.run_all();
  const auto first = world.holder();
  ASSERT_TRUE(first);
  const std::uint32_t away = another(*first);
  world.crash(away);
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(world.commit(*first, "key" + std::to_string(i), Bytes(1 << 20, 'x')));
  ASSERT_TRUE(world.commit(*first, "key0", "small again"));
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(world.commit(*first, "key1", Bytes(1 << 20, 'y')));
  world.run(away);
  ASSERT_TRUE(world.wait([&] {
    const auto there = world.at(away).platters.paths();
    return std::ranges::find(there, "data/raft-snapshot") != there.end();
  }));
  EXPECT_TRUE(world.at(*first).in_office());
  EXPECT_TRUE(world.commit(*first, "key2", "goes on"));
}

TEST(MetadataRaft, a_full_disk_of_the_holder_lets_another_take_over) {
  RaftWorld world(3);
  world.run_all();
  const auto first = world.holder();
  ASSERT_TRUE(first);
  ASSERT_TRUE(world.commit(*first, "key", "before"));
  world.at(*first).platters.faults.capacity = world.at(*first).platters.bytes_used();
  int made = 0;
  while (world.at(*first).in_office() && made < 100)
    made += world.commit(*first, "large", Bytes(1 << 20, 'x')).has_value() ? 1 : 0;
  ASSERT_FALSE(world.at(*first).in_office());
  const auto second = world.holder(2s);
  ASSERT_TRUE(second);
  EXPECT_NE(*second, *first);
  EXPECT_EQ(items_of(world, *second).at("key"), "before");
  ASSERT_TRUE(world.commit(*second, "key", "after")) << "with the third one";
  ASSERT_TRUE(world.wait([&] { return world.at(*first).office && !world.at(*first).office->has_value(); }));
  EXPECT_EQ(world.at(*first).office->error(), Errc::io_failed);
  world.at(*first).platters.faults.capacity.reset();
  world.pass(3s);
  world.crash(*second);
  EXPECT_TRUE(world.holder(5s));
}

TEST(MetadataRaft, a_full_disk_of_one_alone_is_told_and_loses_nothing) {
  RaftWorld world(1);
  world.run(0);
  ASSERT_TRUE(world.holder());
  ASSERT_TRUE(world.commit(0, "key", "value"));
  world.at(0).platters.faults.capacity = world.at(0).platters.bytes_used();
  Result<> refused;
  for (int i = 0; i < 100 && refused; ++i) refused = world.commit(0, "large", Bytes(1 << 20, 'x'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::io_failed);
  ASSERT_TRUE(world.wait([&] { return world.at(0).office && !world.at(0).office->has_value(); }));
  world.at(0).platters.faults.capacity.reset();
  ASSERT_TRUE(world.holder());
  EXPECT_EQ(items_of(world, 0).at("key"), "value");
  EXPECT_TRUE(world.commit(0, "key", "after"));
}

TEST(MetadataRaft, a_disk_that_fails_ends_the_office_for_good) {
  RaftWorld world(3);
  world.run_all();
  const auto first = world.holder();
  ASSERT_TRUE(first);
  ASSERT_TRUE(world.commit(*first, "key", "before"));
  world.at(*first).platters.faults.fail_write = 1;
  static_cast<void>(world.commit(*first, "key", "unknown"));   // by the others it may be made
  ASSERT_TRUE(world.wait([&] { return !world.at(*first).office->has_value(); }));
  EXPECT_EQ(world.at(*first).office->error(), Errc::io_failed);
  const auto second = world.holder(2s);
  ASSERT_TRUE(second);
  EXPECT_NE(*second, *first);
  EXPECT_TRUE(world.commit(*second, "key", "after"));
}

TEST(MetadataRaft, another_cluster_is_refused_and_the_reason_logged) {
  RaftWorld world(3);
  world.run(0);
  world.run(1);
  ASSERT_TRUE(world.holder());
  world.cluster = "another";
  world.run(2);
  world.pass(1s);
  EXPECT_FALSE(world.at(2).in_office());
  EXPECT_EQ(world.at(2).metadata->holder(), "");
  EXPECT_TRUE(logged(world, "this coordinator belongs to the cluster one, the caller to another"));
}

TEST(MetadataRaft, another_list_of_coordinators_is_refused_and_the_reason_logged) {
  RaftWorld world(3);
  world.run(0);
  world.run(1);
  ASSERT_TRUE(world.holder());
  world.list = "c2=host2:6650,c0=host0:6650,c7=host1:6650";
  world.run(2);
  world.pass(1s);
  EXPECT_FALSE(world.at(2).in_office());
  EXPECT_TRUE(logged(world, "this coordinator was given the coordinators c0,c1,c2, the caller c0,c2,c7"));
}

TEST(MetadataRaft, a_folder_of_another_coordinator_cluster_or_list_is_refused) {
  RaftWorld world(3);
  world.run_all();
  ASSERT_TRUE(world.holder());
  const std::string list = world.list;
  const auto refusal = [&world] {
    world.stop(0);
    world.run(0);
    world.wait([&] { return world.at(0).office.has_value(); }, 3s);
    return world.at(0).office && !world.at(0).office->has_value() ? (*world.at(0).office).error() : Error{};
  };
  world.cluster = "another";
  EXPECT_EQ(
      refusal().text,
      "data belongs to \"cluster one coordinator c0 of c0,c1,c2\", and this coordinator is started as \"cluster another coordinator "
      "c0 of c0,c1,c2\": start it as what it was, or with a new folder when no other coordinator remembers it");
  world.cluster = "one";
  world.list = "c0=host0:6650,c1=host1:6650,c2=host2:6650,c3=host3:1,c4=host4:1";
  EXPECT_EQ(refusal(), Errc::invalid_argument);
  world.list = "c0=host0:6650";
  EXPECT_EQ(refusal(), Errc::invalid_argument);
  world.list = list;
  EXPECT_EQ(refusal(), std::error_code());
}

TEST(MetadataRaft, what_is_missing_from_the_folder_is_not_taken_for_new) {
  RaftWorld world(1);
  world.run(0);
  ASSERT_TRUE(world.holder());
  ASSERT_TRUE(world.commit(0, "key", "value"));
  world.stop(0);
  auto& platters = world.at(0).platters;
  const auto error_without = [&](const std::string& prefix) {
    std::vector<std::pair<std::string, Bytes>> gone;
    for (const std::string& path : platters.paths()) {
      if (path.starts_with(prefix)) gone.emplace_back(path, platters.content(path));
    }
    for (const auto& [path, content] : gone) platters.erase(path);
    world.run(0);
    world.wait([&] { return world.at(0).office.has_value(); });
    const Error error = world.at(0).office->has_value() ? Error{} : world.at(0).office->error();
    world.crash(0);
    for (const auto& [path, content] : gone) platters.put(path, content);
    return error;
  };
  EXPECT_EQ(error_without("data/raft-log/"), Errc::corrupt);
  EXPECT_EQ(error_without("data/raft-identity"), Errc::corrupt);
  EXPECT_EQ(error_without("data/nothing"), std::error_code());
}

Task<> cancel(TaskScope& tasks, bool& cancelled) {
  co_await tasks.cancel_and_join();
  cancelled = true;
}

TEST(MetadataRaft, who_does_not_want_the_office_any_more_votes_for_others) {
  RaftWorld world(3);
  world.run_all();
  const auto first = world.holder();
  ASSERT_TRUE(first);
  auto& tired = world.at(another(*first));
  bool cancelled = false;
  TaskScope beside(*tired.core);
  beside.spawn(cancel(*tired.tasks, cancelled));
  ASSERT_TRUE(world.wait([&] { return cancelled; }));
  world.crash(*first);
  const auto second = world.holder(2s);
  ASSERT_TRUE(second);
  EXPECT_NE(&world.at(*second), &tired);
  EXPECT_TRUE(world.commit(*second, "key", "value"));
}

// What a life of crashes, cuts and slow disks must not change: numbers are given in order, and none that was answered is
// forgotten.
struct HardLife {
  RaftWorld world;
  Random random;
  int given = 0, answered = 0;
  std::vector<std::pair<int, std::optional<Result<>>*>> asked;
  std::map<std::int64_t, std::uint32_t> holders;   // by epoch

  explicit HardLife(std::uint64_t seed) : world(seed % 3 == 0 ? 5 : 3, seed), random(seed) { world.snapshot_after_bytes = 4000; }

  std::uint32_t any() { return static_cast<std::uint32_t>(random.below(world.count())); }
  void look() {
    for (const auto& [number, answer] : asked) {
      if (answer->has_value() && (*answer)->has_value()) answered = std::max(answered, number);
    }
    for (std::uint32_t each = 0; each < world.count(); ++each) {
      if (!world.at(each).in_office()) continue;
      const auto [known, first] = holders.emplace(epoch_of(world, each), each);
      EXPECT_EQ(known->second, each) << "two offices have the epoch " << known->first;
    }
  }
  void write() {
    for (std::uint32_t each = 0; each < world.count(); ++each) {
      if (!world.at(each).in_office()) continue;
      for (std::uint64_t more = random.below(5); more > 0; --more) {
        const std::string value = std::to_string(++given) + Bytes(random.below(600), 'x');
        asked.emplace_back(given, &world.begin_commit(each, "number", value));
      }
    }
  }
  void trouble() {
    const std::uint32_t one = any();
    switch (random.below(8)) {
      case 0:
      case 1:
        if (world.at(one).up()) world.crash(one);
        break;
      case 2:
        for (std::uint32_t each = 0; each < world.count(); ++each) {
          if (!world.at(each).up()) world.run(each);
        }
        break;
      case 3: world.cut_off(one); break;
      case 4: world.heal(); break;
      case 5: world.at(one).platters.faults.sync_takes = Duration(random.below(60'000'000)); break;
      case 6: world.at(one).platters.faults = {}; break;
      default: break;
    }
  }
};

TEST(MetadataRaft, nothing_that_was_answered_is_lost_in_a_hard_life) {
  int answers = 0, offices = 0;
  for (std::uint64_t seed = 1; seed <= 9; ++seed) {
    HardLife life(seed);
    life.world.run_all();
    for (int step = 0; step < 150; ++step) {
      if (life.random.chance(0.3)) life.trouble();
      life.write();
      life.world.pass(Duration(life.random.below(60'000'000)));
      life.look();
    }
    life.world.heal();
    for (std::uint32_t each = 0; each < life.world.count(); ++each) {
      if (life.world.at(each).up()) life.world.crash(each);
      life.world.at(each).platters.faults = {};
      life.world.run(each);
    }
    const auto last = life.world.holder();
    ASSERT_TRUE(last) << "seed " << seed;
    life.look();
    const MetadataItems items = items_of(life.world, *last);
    const int found = items.contains("number") ? std::stoi(items.at("number")) : 0;
    EXPECT_GE(found, life.answered) << "seed " << seed;
    EXPECT_LE(found, life.given) << "seed " << seed;
    answers += life.answered;
    offices += static_cast<int>(life.holders.size());
  }
  EXPECT_GT(answers, 500) << "else this tries too little";
  EXPECT_GT(offices, 20);
}

TEST(RaftMembers, are_the_same_in_any_order_and_refused_when_they_make_no_sense) {
  const auto one = RaftMembers::parse("b=h:2, a=h:1,c=h:3", "a"), other = RaftMembers::parse("a=h:1,c=h:3,b=h:9", "c");
  ASSERT_TRUE(one && other);
  EXPECT_EQ(one->names(), other->names());
  EXPECT_EQ(one->self(), RaftMember(0));
  EXPECT_EQ(other->self(), RaftMember(2));
  EXPECT_EQ(one->at(RaftMember(1)).address.port, 2);
  EXPECT_EQ(RaftMembers::parse("h:1", "h:1")->at(RaftMember(0)).name, "h:1");
  for (const char* bad :
       {"", "a", "a=h:1,b=h:2", "a=h:1,a=h:2,b=h:3", "a=h:1,,b=h:2", "a=,b=h:2,c=h:3", "a b=h:1", "b=h:1", "=h:1"}) {
    EXPECT_EQ(RaftMembers::parse(bad, "a").error(), Errc::invalid_argument) << bad;
  }
}

}   // namespace
}   // namespace skerry::control
