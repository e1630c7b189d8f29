// SPDX-License-Identifier: Apache-2.0
#include "store/table.hpp"
#include "runtime/random.hpp"

#include <gtest/gtest.h>

#include <map>

#include "runtime/random.hpp"
#include "store/memory_engine.hpp"
#include "store/rocksdb_store.hpp"
#include "store/table_cursor.hpp"
#include "store/table_stack.hpp"
#include "store/testing/engine_model.hpp"
#include "store/testing/run.hpp"

namespace skerry::store {
namespace {

using Model = std::map<Bytes, Bytes>;

// Keys with long common parts, in and out of order, many enough for several levels of the tree.
Bytes key_of(Random& random) {
  switch (random.below(4)) {
    case 0: return testing::random_key(random);
    case 1: return "/tenants/of/some/length/" + std::to_string(random.below(3000));
    case 2: return Bytes(random.below(40), 'x') + testing::random_key(random);
    default: {
      Bytes key = "k";
      append_big_endian(key, random.below(5000));
      return key;
    }
  }
}

class ModelledTable {
 public:
  explicit ModelledTable(std::uint64_t seed) : random_(seed) {}

  void write() {
    const Bytes key = key_of(random_);
    const std::uint64_t dice = random_.below(100);
    ++number_;
    if (dice < 80) {
      const Bytes value(random_.below(60), static_cast<char>(random_.next()));
      table_->put(key, table_hash(key), value, number_);
      model_[key] = value;
    } else if (dice < 98) {
      table_->erase(key, table_hash(key), number_);
      model_.erase(key);
    } else {
      const Bytes end = random_.chance(0.5) ? key + "\xFF" : key_of(random_);
      table_->erase_range(key, end, number_);
      if (key < end) model_.erase(model_.lower_bound(key), model_.lower_bound(end));
    }
  }

  // A walk made now, with what it must see however much is written afterwards.
  void watch() {
    if (watched_.size() > 3) watched_.erase(watched_.begin());
    watched_.push_back({std::make_unique<Table::Walk>(table_, number_), model_});
  }

  void check() {
    for (const Watched& watched : watched_) check_walk(*watched.walk, watched.model);
    for (int i = 0; i < 200; ++i) {
      const Bytes key = key_of(random_);
      BytesView value;
      const auto found = table_->find(key, table_hash(key), value);
      const auto wanted = model_.find(key);
      ASSERT_EQ(found == Table::Found::value, wanted != model_.end()) << printable(key);
      if (found == Table::Found::value) ASSERT_EQ(value, wanted->second);
    }
  }

 private:
  struct Watched {
    std::unique_ptr<Table::Walk> walk;
    Model model;
  };
  static void check_walk(Table::Walk& walk, const Model& model) {
    auto wanted = model.begin();
    for (walk.seek({}); walk.valid(); walk.next()) {
      if (walk.sight() != Table::Walk::Sight::value) continue;
      ASSERT_NE(wanted, model.end()) << printable(walk.key());
      ASSERT_EQ(walk.key(), wanted->first);
      ASSERT_EQ(walk.value(), wanted->second);
      ++wanted;
    }
    ASSERT_EQ(wanted, model.end());
    auto back = model.rbegin();
    for (walk.seek_below(Bytes(100, '\xFF')); walk.valid(); walk.previous()) {
      if (walk.sight() != Table::Walk::Sight::value) continue;
      ASSERT_NE(back, model.rend());
      ASSERT_EQ(walk.key(), back->first);
      ++back;
    }
    ASSERT_EQ(back, model.rend());
  }

  Random random_;
  std::shared_ptr<Table> table_ = std::make_shared<Table>();
  Model model_;
  std::vector<Watched> watched_;
  WriteNumber number_ = 0;
};

TEST(Table, holds_what_a_plain_map_holds_now_and_as_of_each_walk) {
  for (std::uint64_t seed = 1; seed <= 6 && !::testing::Test::HasFatalFailure(); ++seed) {
    SCOPED_TRACE(seed);
    ModelledTable table(seed);
    for (int round = 0; round < 12 && !::testing::Test::HasFatalFailure(); ++round) {
      for (int i = 0; i < 800; ++i) table.write();
      table.watch();
      for (int i = 0; i < 100; ++i) table.write();
      table.check();
    }
  }
}

TEST(Table, keys_that_come_in_order_or_backwards_are_walked_in_order) {
  for (const bool forward : {true, false}) {
    const auto table = std::make_shared<Table>();
    constexpr std::uint64_t count = 20'000;
    for (std::uint64_t i = 0; i < count; ++i) {
      Bytes key = "sequence-";
      append_big_endian(key, forward ? i : count - 1 - i);
      table->put(key, table_hash(key), "v", i + 1);
    }
    std::uint64_t seen = 0;
    Table::Walk walk(table, count);
    for (walk.seek({}); walk.valid(); walk.next(), ++seen) {
      Bytes key = "sequence-";
      append_big_endian(key, seen);
      ASSERT_EQ(walk.key(), key);
    }
    EXPECT_EQ(seen, count);
  }
}

TEST(Table, overwrites_in_place_unless_a_walk_may_still_see_the_value) {
  const auto table = std::make_shared<Table>();
  const std::uint32_t hash = table_hash("key");
  const Bytes value(1000, 'v');
  table->put("key", hash, value, 1);
  const std::size_t before = table->bytes();
  for (WriteNumber number = 2; number < 10'000; ++number) table->put("key", hash, value, number);
  EXPECT_EQ(table->bytes(), before);
  Table::Walk walk(table, 10'000);
  walk.seek("key");
  const Bytes newer(1000, 'n');
  for (WriteNumber number = 10'001; number < 20'000; ++number) table->put("key", hash, newer, number);
  EXPECT_LE(table->bytes(), before + 8192);   // one more version, however often it was written
  EXPECT_EQ(walk.value(), value);
}

TEST(TableFragments, newer_deletions_win_where_they_overlap) {
  Random random(7);
  TableFragments fragments;
  std::map<Bytes, WriteNumber> model;
  const auto key = [](std::uint64_t i) { return Bytes(1, static_cast<char>('A' + i)); };
  std::vector<std::unique_ptr<Bytes>> kept;
  for (WriteNumber number = 1; number < 500; ++number) {
    std::uint64_t from = random.below(50), to = random.below(50);
    if (from == to) continue;
    if (from > to) std::swap(from, to);
    kept.push_back(std::make_unique<Bytes>(key(from)));
    kept.push_back(std::make_unique<Bytes>(key(to)));
    fragments.erase({*kept[kept.size() - 2], *kept.back(), number});
    for (std::uint64_t i = from; i < to; ++i) model[key(i)] = number;
    for (std::uint64_t i = 0; i < 50; ++i) {
      const TableFragment* found = fragments.covering(key(i));
      const auto wanted = model.find(key(i));
      ASSERT_EQ(found != nullptr, wanted != model.end());
      if (found != nullptr) ASSERT_EQ(found->number, wanted->second);
    }
  }
  EXPECT_LE(fragments.size(), 50U);
}

// --- cursors over several layers

class Layers {
 public:
  Layers() : base_(**engine_.shard(ShardId(1))) {}
  void put_below(const std::vector<Bytes>& keys) {
    std::vector<Write> writes;
    for (const Bytes& key : keys) writes.push_back({Write::Kind::put, Space::records, key, "below"});
    base_.apply(writes, base_.applied().next());
  }
  Bytes prefixed(BytesView key) const { return prefix_ + Bytes(key); }
  std::unique_ptr<TableCursor> cursor() {
    return std::make_unique<TableCursor>(prefix_, stack.walks(), base_.cursor(Space::records), recent);
  }

  TableStack stack{TableLimits::of(64 << 20, 64 << 20)};
  std::shared_ptr<RecentLoads> recent = std::make_shared<RecentLoads>();

 private:
  const Bytes prefix_ = key_prefix(ShardId(1), Space::records);
  MemoryEngine engine_;
  ShardEngine& base_;
};

TEST(TableCursor, merges_layers_in_both_directions_and_turns_round) {
  Layers layers;
  layers.put_below({"a", "b", "c", "d", "e", "f"});
  layers.stack.put(layers.prefixed("b"), "frozen");
  layers.stack.erase_range(layers.prefixed("c"), layers.prefixed("e"));
  layers.stack.freeze({});
  layers.stack.put(layers.prefixed("d"), "active");
  layers.stack.erase(layers.prefixed("a"));
  const auto cursor = layers.cursor();
  const auto stands_at = [&](BytesView key, BytesView value) {
    ASSERT_EQ(cursor->state(), Cursor::State::record) << key;
    EXPECT_EQ(cursor->key(), key);
    EXPECT_EQ(cursor->value(), value);
  };
  cursor->seek("");
  stands_at("b", "frozen");
  cursor->next();
  stands_at("d", "active");
  cursor->previous();
  stands_at("b", "frozen");
  cursor->next();
  stands_at("d", "active");
  cursor->next();
  stands_at("e", "below");
  cursor->next();
  stands_at("f", "below");
  cursor->next();
  EXPECT_EQ(cursor->state(), Cursor::State::end);
  cursor->seek_last();
  stands_at("f", "below");
  cursor->previous();
  cursor->previous();
  stands_at("d", "active");
  cursor->previous();
  stands_at("b", "frozen");
  cursor->previous();
  EXPECT_EQ(cursor->state(), Cursor::State::end);
}

TEST(TableCursor, jumps_over_what_a_range_deletion_took_below) {
  Layers layers;
  std::vector<Bytes> keys;
  for (int i = 0; i < 1000; ++i) keys.push_back("k" + std::to_string(1000 + i));
  layers.put_below(keys);
  layers.stack.erase_range(layers.prefixed("k1001"), layers.prefixed("k1998"));
  const auto cursor = layers.cursor();
  std::vector<Bytes> seen;
  for (cursor->seek(""); cursor->state() == Cursor::State::record; cursor->next()) seen.emplace_back(cursor->key());
  EXPECT_EQ(seen, (std::vector<Bytes>{"k1000", "k1998", "k1999"}));
  seen.clear();
  for (cursor->seek_last(); cursor->state() == Cursor::State::record; cursor->previous()) seen.emplace_back(cursor->key());
  EXPECT_EQ(seen, (std::vector<Bytes>{"k1999", "k1998", "k1000"}));
  // The whole space, and more: as a dropped shard.
  layers.stack.erase_range(key_prefix(ShardId(1), engine_space).substr(0, 4), key_prefix(ShardId(2), engine_space).substr(0, 4));
  const auto after = layers.cursor();
  after->seek("");
  EXPECT_EQ(after->state(), Cursor::State::end);
  after->seek_last();
  EXPECT_EQ(after->state(), Cursor::State::end);
}

TEST(TableCursor, pauses_in_many_erased_keys_and_not_twice_for_who_asks_again) {
  SystemClock clock;
  Core core(CoreId(0), clock, 1);
  Layers layers;
  for (int i = 0; i < 20'000; ++i) layers.stack.erase(layers.prefixed("k" + std::to_string(100'000 + i)));
  layers.stack.put(layers.prefixed("last"), "value");
  const auto cursor = layers.cursor();
  cursor->seek("");
  ASSERT_EQ(cursor->state(), Cursor::State::cold);
  ASSERT_TRUE(testing::run(core, cursor->load()));
  ASSERT_EQ(cursor->state(), Cursor::State::record);
  EXPECT_EQ(cursor->key(), "last");
  const auto again = layers.cursor();
  again->seek("");
  ASSERT_EQ(again->state(), Cursor::State::record);
  EXPECT_EQ(again->key(), "last");
}

// --- memory

TEST(TableStack, keeps_written_tables_only_as_far_as_the_budget_goes) {
  TableStack stack(TableLimits::of(8 << 20, 64 << 20));
  const Bytes value(1000, 'v');
  std::uint64_t number = 0;
  for (int table = 0; table < 20; ++table) {
    while (!stack.full()) stack.put(std::to_string(number++), value);
    EXPECT_TRUE(stack.has_room());
    stack.freeze({});
    stack.oldest_is_written();
    EXPECT_LE(stack.active_bytes() + stack.written_bytes() + stack.blocks_bytes(), std::uint64_t{8 << 20});
    EXPECT_GE(stack.blocks_bytes(), stack.limits().blocks_bytes_min);
  }
  EXPECT_GE(stack.written_tables(), 1U);
  BytesView found;
  EXPECT_EQ(stack.find(std::to_string(number - 1), found), Table::Found::value);
  EXPECT_EQ(stack.find("0", found), Table::Found::nothing);
}

TEST(TableStack, lets_a_written_table_go_once_newer_ones_hide_most_of_it) {
  TableStack stack(TableLimits::of(64 << 20, 64 << 20));
  constexpr int keys = 1000;
  const auto write = [&stack](int from, int to) {
    for (int key = from; key < to; ++key) stack.put(std::to_string(key), "value");
  };
  write(0, keys);
  stack.freeze({});
  BytesView found;
  EXPECT_EQ(stack.find(std::to_string(keys - 1), found), Table::Found::value);
  write(0, keys / 4);   // while it is on its way to disk
  stack.oldest_is_written();
  for (int again = 0; again < 3; ++again) write(0, keys * 3 / 4);
  stack.shed();
  EXPECT_EQ(stack.written_tables(), 1U);
  write(keys * 3 / 4, keys - 1);
  stack.shed();
  EXPECT_EQ(stack.written_tables(), 0U);
  EXPECT_EQ(stack.find(std::to_string(keys - 1), found), Table::Found::nothing);
  EXPECT_EQ(stack.find("0", found), Table::Found::value);
}

TEST(TableStack, lets_a_written_table_go_that_nobody_reads_while_newer_ones_hide_it) {
  TableStack stack(TableLimits::of(64 << 20, 64 << 20));
  for (int key = 0; key < 1000; ++key) stack.put(std::to_string(key), "value");
  stack.freeze({});
  stack.oldest_is_written();
  EXPECT_EQ(stack.written_tables(), 1U);
  for (int key = 0; key < 200; ++key) stack.put(std::to_string(key), "value");
  stack.shed();
  EXPECT_EQ(stack.written_tables(), 0U);
}

TEST(TableStack, a_table_is_hidden_only_by_the_keys_that_it_still_showed) {
  TableStack stack(TableLimits::of(64 << 20, 64 << 20));
  constexpr int keys = 1000;
  for (int table = 0; table < 3; ++table) {   // the same half again, over one table with all
    BytesView found;
    for (int key = 0; key < (table == 0 ? keys : keys / 2); ++key) {
      stack.find(std::to_string(key), found);
      stack.put(std::to_string(key), "value");
    }
    stack.freeze({});
    stack.oldest_is_written();
  }
  EXPECT_EQ(stack.written_tables(), 3U);
}

TEST(TableStack, lets_a_table_grow_while_most_of_what_is_written_is_in_it_already) {
  const Bytes value(1000, 'v');
  TableStack filled(TableLimits::of(8 << 20, 64 << 20));
  const std::uint64_t due = filled.limits().active_bytes_due, some = due / value.size() * 6 / 5;
  for (std::uint64_t number = 0; !filled.full(); ++number) {
    ASSERT_LT(number, some);
    filled.put(std::to_string(number), value);
  }
  TableStack rewritten(TableLimits::of(8 << 20, 64 << 20));
  Random random(1);
  for (std::uint64_t writes = 0; writes < 10 * some; ++writes) {
    rewritten.put(std::to_string(random.below(some)), value);
    ASSERT_FALSE(rewritten.full()) << writes;
  }
  EXPECT_GT(rewritten.active_bytes(), due);
  for (std::uint64_t number = 0; !rewritten.full(); ++number) rewritten.put("more" + std::to_string(number), value);
  EXPECT_LT(rewritten.active_bytes(), rewritten.limits().active_bytes_max * 9 / 8);
}

TEST(TableStack, has_no_room_once_what_is_unwritten_fills_its_part) {
  TableStack stack(TableLimits::of(8 << 20, 64 << 20));
  const Bytes value(1000, 'v');
  for (std::uint64_t number = 0; stack.has_room(); ++number) {
    stack.put(std::to_string(number), value);
    if (stack.full()) stack.freeze({});
    ASSERT_LE(stack.active_bytes() + stack.frozen_bytes(), std::uint64_t{8 << 20});
  }
  stack.oldest_is_written();
  EXPECT_TRUE(stack.has_room());
}

TEST(TableStack, keeps_loaded_records_where_tables_leave_room_and_lets_them_go_as_the_active_table_grows) {
  TableStack stack(TableLimits::of(8 << 20, 64 << 20));
  const Bytes value(1000, 'v');
  for (std::uint64_t number = 0; number < 2000; ++number) stack.keep_loaded(0, "loaded" + std::to_string(number), value);
  EXPECT_GT(stack.loaded_bytes(), std::uint64_t{2 << 20});   // far beyond its own part
  BytesView found;
  EXPECT_EQ(stack.find("loaded0", found), Table::Found::value);
  for (std::uint64_t number = 0; !stack.full(); ++number) {
    stack.put(std::to_string(number), value);
    stack.shed();
    ASSERT_LE(stack.active_bytes() + stack.loaded_bytes(), stack.limits().tables_bytes_max);
  }
  stack.freeze({});
  for (std::uint64_t number = 0; !stack.full(); ++number) {
    stack.put("more" + std::to_string(number), value);
    stack.shed();
  }
  EXPECT_LE(stack.loaded_bytes(), stack.limits().loaded_bytes_min);
}

TEST(TableStack, forgets_what_was_loaded_once_a_table_that_hid_it_is_gone) {
  TableStack stack(TableLimits::of(8 << 20, 64 << 20));
  const std::uint64_t loads = stack.loads_number();
  stack.keep_loaded(loads, "key", Bytes("old"));
  BytesView found;
  ASSERT_EQ(stack.find("key", found), Table::Found::value);
  stack.put("key", "new");
  stack.put("big", Bytes(6 << 20, 'b'));   // too large to be kept once it is written
  stack.freeze({});
  ASSERT_EQ(stack.find("key", found), Table::Found::value);
  EXPECT_EQ(found, "new");
  stack.oldest_is_written();
  EXPECT_EQ(stack.find("key", found), Table::Found::nothing);
  stack.keep_loaded(loads, "key", Bytes("old"));   // was under way meanwhile
  EXPECT_EQ(stack.find("key", found), Table::Found::nothing);
}

}  // namespace
}  // namespace skerry::store
