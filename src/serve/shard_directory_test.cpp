// SPDX-License-Identifier: Apache-2.0
#include "serve/shard_directory.hpp"

#include <gtest/gtest.h>

#include "runtime/core.hpp"

namespace skerry::serve {
namespace {

// Of one namespace with one shard.
std::shared_ptr<const Assignments> assigned(std::int64_t shard) {
  auto assignments = std::make_shared<Assignments>();
  assignments->namespaces["default"] = even_ranges(ShardId(shard), 1);
  return assignments;
}

TEST(ShardDirectory, remembers_the_newest_1024_shards_that_were_split_or_merged) {
  ManualClock clock;
  Core core(CoreId{0}, clock, 1);
  ShardDirectory directory(core);
  for (std::int64_t shard = 0; shard <= 1024; ++shard) directory.set(assigned(shard));
  ASSERT_EQ(directory.heirs_of(ShardId(0)).size(), 1u);
  EXPECT_EQ(directory.heirs_of(ShardId(0)).front().shard, ShardId(1024));
  directory.set(assigned(1025));
  EXPECT_TRUE(directory.heirs_of(ShardId(0)).empty());
  EXPECT_EQ(directory.heirs_of(ShardId(1)).front().shard, ShardId(1025));
  EXPECT_TRUE(directory.heirs_of(ShardId(1025)).empty());
}

}  // namespace
}  // namespace skerry::serve
