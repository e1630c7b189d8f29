// SPDX-License-Identifier: Apache-2.0
#include "control/metadata_memory.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "net/testing/world.hpp"

namespace skerry::control {
namespace {

struct MetadataMemoryTest : testing::Test {
  net::testing::ManualWorld world;
  MetadataShared shared{world.core};
  MetadataMemory one{world.core, shared, "one:1"}, two{world.core, shared, "two:2"};

  template <class T>
  static Task<> keep(Task<T> task, std::optional<T>& into) {
    into.emplace(co_await std::move(task));
  }
  template <class T>
  T run(Task<T> task) {
    std::optional<T> result;
    world.tasks.spawn(keep(std::move(task), result));
    world.advance(1s);
    return *std::move(result);
  }
  static Task<> note_ousted(Metadata& metadata, bool& ousted) {
    co_await metadata.wait_ousted();
    ousted = true;
  }
};

TEST_F(MetadataMemoryTest, one_is_in_office_and_the_next_finds_what_it_kept) {
  EXPECT_EQ(run(one.take_office())->epoch, 1);
  std::optional<Result<Metadata::Office>> second;
  world.tasks.spawn(keep(two.take_office(), second));
  world.settle();
  EXPECT_FALSE(second);
  EXPECT_EQ(two.holder(), "one:1");
  ASSERT_TRUE(run(one.commit({{"a", "1"}})));
  bool ousted = false;
  world.tasks.spawn(note_ousted(one, ousted));
  world.settle();
  EXPECT_FALSE(ousted);
  one.oust();
  world.settle();
  EXPECT_TRUE(ousted);
  ASSERT_TRUE(second);
  EXPECT_EQ((*second)->epoch, 2);
  EXPECT_EQ((*second)->items, (MetadataItems{{"a", "1"}}));
  EXPECT_EQ(run(one.commit({{"a", "2"}})).error(), Errc::aborted);
}

TEST_F(MetadataMemoryTest, commits_are_made_in_order_and_only_when_their_time_is_over) {
  shared.commit_takes = 10ms;
  ASSERT_TRUE(run(one.take_office()));
  std::optional<Result<>> first, second;
  world.tasks.spawn(keep(one.commit({{"a", "1"}}), first));
  world.tasks.spawn(keep(one.commit({{"a", "2"}}), second));
  world.advance(9ms);
  EXPECT_FALSE(first);
  EXPECT_TRUE(shared.table.items().empty());
  world.advance(1ms);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(shared.table.items().at("a"), "2");
}

TEST_F(MetadataMemoryTest, a_commit_that_fails_ends_the_office_and_may_have_been_kept) {
  shared.fail_commits = 1;
  ASSERT_TRUE(run(one.take_office()));
  EXPECT_EQ(run(one.commit({{"a", "1"}})).error(), Errc::io_failed);
  EXPECT_TRUE(shared.table.items().empty());
  shared.fail_commits = 2;
  ASSERT_TRUE(run(one.take_office()));
  EXPECT_EQ(run(one.commit({{"a", "2"}})).error(), Errc::io_failed);
  EXPECT_EQ(run(one.take_office())->items.at("a"), "2");
}

TEST_F(MetadataMemoryTest, stopping_ends_waiting_and_office) {
  ASSERT_TRUE(run(one.take_office()));
  std::optional<Result<Metadata::Office>> second;
  world.tasks.spawn(keep(two.take_office(), second));
  world.settle();
  world.run(two.stop());
  ASSERT_TRUE(second);
  EXPECT_EQ(second->error(), Errc::closed);
  world.run(one.stop());
  EXPECT_EQ(one.holder(), "");
}

}  // namespace
}  // namespace skerry::control
