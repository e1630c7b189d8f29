// SPDX-License-Identifier: Apache-2.0
#include "store/engine.hpp"

#include <gtest/gtest.h>

#include "store/memory_engine.hpp"

namespace skerry::store {
namespace {

Write put(BytesView key, BytesView value) { return {Write::Kind::put, Space::records, key, value}; }

TEST(MemoryEngine, cursor_sees_the_state_at_its_creation) {
  MemoryEngine engine;
  ShardEngine& shard = **engine.shard(ShardId(1));
  const Write before[] = {put("a", "1"), put("c", "3")};
  shard.apply(before, Offset(0));
  const std::unique_ptr<Cursor> cursor = shard.cursor(Space::records);
  const Write after[] = {put("b", "2"), put("c", "4"), {Write::Kind::erase, Space::records, "a", {}}};
  shard.apply(after, Offset(1));
  cursor->seek("");
  ASSERT_EQ(cursor->state(), Cursor::State::record);
  EXPECT_EQ(cursor->key(), "a");
  cursor->next();
  EXPECT_EQ(cursor->key(), "c");
  EXPECT_EQ(cursor->value(), "3");
  cursor->next();
  EXPECT_EQ(cursor->state(), Cursor::State::end);
  EXPECT_EQ(shard.applied(), Offset(1));
}

}  // namespace
}  // namespace skerry::store
