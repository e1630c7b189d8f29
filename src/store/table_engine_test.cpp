// SPDX-License-Identifier: Apache-2.0
#include "store/table_engine.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "store/testing/engine_subject.hpp"

namespace skerry::store {
namespace {

using testing::RocksDbSubject;
using testing::TableSubject;
using Threads = testing::DatabaseSubject::Threads;

constexpr std::uint64_t budget = 1 << 20;

Write record_write(BytesView key, BytesView value) { return {Write::Kind::put, Space::records, key, value}; }

void put_one(testing::EngineSubject& subject, ShardId shard, BytesView key, BytesView value) {
  ShardEngine& engine = subject.shard(shard);
  const Write write = record_write(key, value);
  engine.apply({&write, 1}, engine.applied().next());
}

Lookup get(testing::EngineSubject& subject, ShardId shard, const Bytes& key, Bytes& value) {
  const Lookup found = subject.shard(shard).try_get(Space::records, key, value);
  if (found != Lookup::cold) return found;
  EXPECT_TRUE(subject.run(subject.shard(shard).load(Space::records, {key})));
  return subject.shard(shard).try_get(Space::records, key, value);
}

bool holds(testing::EngineSubject& subject, ShardId shard, const Bytes& key, BytesView wanted) {
  Bytes value;
  return get(subject, shard, key, value) == Lookup::value && value == wanted;
}

// Lets the engine's own work go on until it is so.
template <class F>
bool wait_until(testing::EngineSubject& subject, F condition) {
  const TimePoint deadline = subject.core().clock().now() + 30s;
  while (!condition()) {
    if (subject.core().clock().now() > deadline) return false;
    if (!subject.core().run_turn()) subject.core().wait(subject.core().clock().now() + 20ms);
  }
  return true;
}

TEST(TableEngine, many_writes_in_one_entry_are_as_one_after_the_other) {
  TableSubject subject(budget, Threads::helper);
  ASSERT_TRUE(subject.start());
  ShardEngine& engine = subject.shard(ShardId(1));
  std::vector<Bytes> keys, values;
  for (int i = 0; i < 100; ++i) keys.push_back(fmt::format("{:03}", i)), values.push_back("v" + keys.back());
  std::vector<Write> writes;
  for (std::size_t i = 0; i < keys.size(); ++i) writes.push_back(record_write(keys[i], values[i]));
  writes.push_back({Write::Kind::erase_range, Space::records, keys[10], keys[90]});
  writes.push_back(record_write(keys[50], "again"));
  writes.push_back({Write::Kind::erase, Space::records, keys[95], {}});
  engine.expect(Space::records, std::vector<BytesView>(keys.begin(), keys.end()));   // of which there is none yet
  engine.apply(writes, engine.applied().next());
  engine.expect(Space::records, std::vector<BytesView>(keys.begin(), keys.end()));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const bool there = (i < 10 || i == 50 || i >= 90) && i != 95;
    BytesView value;
    ASSERT_EQ(engine.find(Space::records, keys[i], value), there ? Lookup::value : Lookup::absent) << keys[i];
    if (there) EXPECT_EQ(value, i == 50 ? "again" : values[i]);
  }
}

TEST(TableEngine, goes_on_by_itself_when_a_full_disk_is_freed_and_loses_nothing) {
  TableSubject subject(budget, Threads::helper);
  ASSERT_TRUE(subject.start());
  subject.files->fill(true);
  const Bytes value(1000, 'v');
  std::vector<Bytes> keys;
  while (subject.engine().has_room()) {
    keys.push_back(std::to_string(keys.size()));
    put_one(subject, ShardId(1), keys.back(), value);
    subject.core().run_turn();
    ASSERT_LT(keys.size(), budget / value.size());   // no more than the budget
  }
  ASSERT_TRUE(wait_until(subject, [&] { return subject.engine().obstacle().has_value(); }));
  EXPECT_NE(subject.engine().obstacle()->message().find("no space left"), std::string::npos);
  EXPECT_TRUE(subject.engine().health());
  EXPECT_FALSE(subject.run(subject.engine().checkpoint()));
  EXPECT_TRUE(subject.engine().health());
  EXPECT_EQ(subject.shard(ShardId(1)).durable(), no_offset);

  subject.files->fill(false);
  EXPECT_TRUE(wait_until(subject, [&] { return subject.engine().has_room() && !subject.engine().obstacle(); }));
  ASSERT_TRUE(subject.run(subject.engine().checkpoint()));
  EXPECT_EQ(subject.shard(ShardId(1)).durable(), subject.shard(ShardId(1)).applied());
  Random random(1);
  subject.crash(random);
  ASSERT_TRUE(subject.start());
  for (const Bytes& key : keys) ASSERT_TRUE(holds(subject, ShardId(1), key, value)) << key;
  ASSERT_TRUE(subject.stop());
}

TEST(TableEngine, stops_although_the_disk_is_full) {
  TableSubject subject(budget, Threads::helper);
  ASSERT_TRUE(subject.start());
  put_one(subject, ShardId(1), "key", "value");
  subject.files->fill(true);
  const Result<> stopped = subject.stop();
  ASSERT_FALSE(stopped);
  EXPECT_NE(stopped.error().message().find("no space left"), std::string::npos);
  subject.files->fill(false);
  ASSERT_TRUE(subject.start());
  EXPECT_EQ(subject.shard(ShardId(1)).applied(), no_offset);   // its log has it
  ASSERT_TRUE(subject.stop());
}

class Listener final : public EngineListener {
 public:
  void on_room_changed() override { ++calls; }
  int calls = 0;
};

TEST(TableEngine, tells_its_listener_when_there_is_room_again) {
  TableSubject subject(budget, Threads::helper);
  ASSERT_TRUE(subject.start());
  Listener listener;
  subject.engine().set_listener(&listener);
  const Bytes value(1000, 'v');
  for (int i = 0; subject.engine().has_room(); ++i) put_one(subject, ShardId(1), std::to_string(i), value);
  EXPECT_TRUE(wait_until(subject, [&] { return subject.engine().has_room(); }));
  EXPECT_GT(listener.calls, 0);
  subject.engine().set_listener(nullptr);
  ASSERT_TRUE(subject.stop());
}

TEST(TableEngine, is_unhealthy_once_the_disk_failed_and_goes_on_reading) {
  TableSubject subject(budget, Threads::helper);
  ASSERT_TRUE(subject.start());
  put_one(subject, ShardId(1), "key", "value");
  subject.die_within(0);
  EXPECT_FALSE(subject.run(subject.engine().checkpoint()));
  ASSERT_FALSE(subject.engine().health());
  EXPECT_EQ(subject.engine().health().error(), make_error_code(Errc::io_failed));
  put_one(subject, ShardId(1), "other", "value");   // must not end the process
  EXPECT_TRUE(holds(subject, ShardId(1), "key", "value"));
  EXPECT_EQ(subject.shard(ShardId(1)).durable(), no_offset);
}

// The power goes after each change of the disk in turn, while a table of two shards is written and taken in.
TEST(TableEngine, a_crash_at_any_step_of_writing_a_table_leaves_all_of_it_or_nothing) {
  bool survived = false;
  for (std::uint64_t step = 0; !survived; ++step) {
    SCOPED_TRACE(step);
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      TableSubject subject(budget, Threads::none);
      Random random(step * 4 + seed);
      ASSERT_TRUE(subject.start());
      for (const ShardId shard : {ShardId(1), ShardId(2)}) put_one(subject, shard, "key", "old");
      ASSERT_TRUE(subject.run(subject.engine().checkpoint()));
      for (const ShardId shard : {ShardId(1), ShardId(2)}) put_one(subject, shard, "key", "new");
      subject.die_within(step);
      const bool written = subject.run(subject.engine().checkpoint()).has_value();
      subject.crash(random);
      ASSERT_TRUE(subject.start());
      const Offset applied = subject.shard(ShardId(1)).applied();
      ASSERT_EQ(subject.shard(ShardId(2)).applied(), applied);
      ASSERT_TRUE(applied == Offset(1) || (!written && applied == Offset(0)));
      for (const ShardId shard : {ShardId(1), ShardId(2)}) {
        ASSERT_TRUE(holds(subject, shard, "key", applied == Offset(1) ? "new" : "old"));
      }
      ASSERT_TRUE(subject.stop());
      survived = written;
    }
    ASSERT_LT(step, 200U);
  }
}

TEST(TableEngine, removes_what_a_crash_left_half_written) {
  TableSubject subject(budget, Threads::none);
  Random random(3);
  ASSERT_TRUE(subject.start());
  put_one(subject, ShardId(1), "key", "value");
  subject.die_within(3);
  ASSERT_FALSE(subject.run(subject.engine().checkpoint()));
  subject.crash(random);
  ASSERT_TRUE(subject.start());
  std::vector<std::string> left;
  ASSERT_TRUE(subject.files->GetChildren("/engine/incoming", {}, &left, nullptr).ok());
  EXPECT_EQ(std::ranges::count_if(left, [](const auto& name) { return name.ends_with(".sst"); }), 0);
  ASSERT_TRUE(subject.stop());
}

TEST(TableEngine, opens_a_folder_of_the_engine_over_plain_rocksdb_and_leaves_it_one) {
  RocksDbSubject before(budget, Threads::helper);
  ASSERT_TRUE(before.start());
  put_one(before, ShardId(1), "a", "1");
  put_one(before, ShardId(1), "b", "2");
  ASSERT_TRUE(before.stop());
  TableSubject tables(budget, Threads::helper);
  tables.files = before.files;
  ASSERT_TRUE(tables.start());
  EXPECT_EQ(tables.shard(ShardId(1)).applied(), Offset(1));
  EXPECT_TRUE(holds(tables, ShardId(1), "a", "1"));
  put_one(tables, ShardId(1), "b", "3");
  ASSERT_TRUE(tables.stop());
  ASSERT_TRUE(before.start());
  EXPECT_EQ(before.shard(ShardId(1)).applied(), Offset(2));
  EXPECT_TRUE(holds(before, ShardId(1), "a", "1"));
  EXPECT_TRUE(holds(before, ShardId(1), "b", "3"));
  ASSERT_TRUE(before.stop());
}

TEST(TableEngine, a_shard_made_anew_has_nothing_of_the_dropped_one) {
  TableSubject subject(budget, Threads::helper);
  ASSERT_TRUE(subject.start());
  put_one(subject, ShardId(1), "key", "old");
  put_one(subject, ShardId(2), "key", "other");
  ASSERT_TRUE(subject.run(subject.engine().checkpoint()));
  put_one(subject, ShardId(1), "second", "old");
  subject.tasks().spawn([](Engine& engine) -> Task<> { static_cast<void>(co_await engine.drop(ShardId(1))); }(subject.engine()));
  ASSERT_TRUE(wait_until(subject, [&] { return subject.engine().shards() == std::vector{ShardId(2)}; }));
  ASSERT_EQ(subject.shard(ShardId(1)).applied(), no_offset);
  put_one(subject, ShardId(1), "third", "new");
  Bytes value;
  EXPECT_EQ(get(subject, ShardId(1), "key", value), Lookup::absent);
  EXPECT_EQ(get(subject, ShardId(1), "second", value), Lookup::absent);
  ASSERT_TRUE(subject.run(subject.engine().checkpoint()));
  EXPECT_EQ(subject.shard(ShardId(1)).durable(), Offset(0));
  Random random(1);
  subject.crash(random);
  ASSERT_TRUE(subject.start());
  EXPECT_EQ(get(subject, ShardId(1), "key", value), Lookup::absent);
  EXPECT_EQ(get(subject, ShardId(1), "second", value), Lookup::absent);
  EXPECT_TRUE(holds(subject, ShardId(1), "third", "new"));
  EXPECT_TRUE(holds(subject, ShardId(2), "key", "other"));
  ASSERT_TRUE(subject.stop());
}

TEST(TableEngine, writes_tables_by_itself_and_stays_within_its_memory) {
  TableSubject subject(budget, Threads::helper);
  ASSERT_TRUE(subject.start());
  const Bytes value(1000, 'v');
  for (int i = 0; i < 20'000; ++i) {
    put_one(subject, ShardId(1), std::to_string(i % 5000), value);
    subject.core().run_turn();
    if (!subject.engine().has_room()) ASSERT_TRUE(wait_until(subject, [&] { return subject.engine().has_room(); }));
    const TableFigures figures = subject.tables().figures();
    ASSERT_LE(figures.active_bytes + figures.frozen_bytes + figures.written_bytes + figures.loaded_bytes, budget);
  }
  const TableFigures figures = subject.tables().figures();
  EXPECT_GT(figures.ingests, 10U);
  EXPECT_GT(figures.ingested_bytes, 0U);
  EXPECT_GT(figures.last_ingest, WallTime{});
  EXPECT_GT(subject.shard(ShardId(1)).durable(), Offset(0));
  EXPECT_GT(subject.shard(ShardId(1)).approximate_bytes(), 0U);
  EXPECT_LE(subject.tables().database_figures().cache_bytes_max, budget);
  ASSERT_TRUE(subject.stop());
}

// Records that neither tables nor the database's blocks have: after a restart, and more than the budget.
class StoredRecords : public ::testing::Test {
 protected:
  using InMemory = testing::ForgetfulFileSystem::InMemory;
  void restart_with(InMemory what) {
    ASSERT_TRUE(subject.start());
    for (int i = 0; i < 2000; ++i) {
      put_one(subject, ShardId(1), name(i), value);
      if (!subject.engine().has_room()) ASSERT_TRUE(wait_until(subject, [&] { return subject.engine().has_room(); }));
    }
    ASSERT_TRUE(subject.stop());
    subject.files->keep_in_memory(what);
    ASSERT_TRUE(subject.start());
  }
  void TearDown() override { EXPECT_TRUE(subject.stop()); }
  static Bytes name(int i) { return std::to_string(i); }
  Lookup find(int i) {
    BytesView found;
    const Lookup lookup = subject.shard(ShardId(1)).find(Space::records, name(i), found);
    if (lookup == Lookup::value) EXPECT_EQ(found, value);
    return lookup;
  }
  // A turn that is long already, on a machine with other things to do, reads nothing at once.
  Lookup find_in_turns(int i) {
    Lookup lookup = Lookup::cold;
    for (int turns = 0; turns < 1000 && lookup == Lookup::cold; ++turns) {
      lookup = find(i);
      if (lookup == Lookup::cold) subject.core().run_turn();
    }
    return lookup;
  }

  TableSubject subject{budget, Threads::helper};
  const Bytes value = Bytes(1000, 'v');
};

TEST_F(StoredRecords, are_read_at_once_from_what_the_system_has_in_memory) {
  restart_with(InMemory::all);
  for (int i = 0; i < 2000; ++i) ASSERT_EQ(find_in_turns(i), Lookup::value) << i;
  EXPECT_EQ(find_in_turns(2000), Lookup::absent);
  EXPECT_GT(subject.tables().figures().loaded_bytes, 0U);
}

TEST_F(StoredRecords, are_cold_until_loaded_when_the_disk_has_to_be_waited_for) {
  restart_with(InMemory::nothing);
  ASSERT_EQ(find(7), Lookup::cold);
  ASSERT_TRUE(subject.run(subject.shard(ShardId(1)).load(Space::records, {name(7), name(2000)})));
  EXPECT_EQ(find(7), Lookup::value);
  EXPECT_EQ(find(2000), Lookup::absent);
}

TEST_F(StoredRecords, of_a_row_that_makes_a_turn_long_the_rest_is_cold) {
  restart_with(InMemory::all);
  ASSERT_EQ(find_in_turns(0), Lookup::value);
  while (!subject.core().yield_due()) {}   // the turn becomes long
  EXPECT_EQ(find(0), Lookup::value);       // it is in memory now
  EXPECT_EQ(find(1999), Lookup::cold);
  EXPECT_EQ(find_in_turns(1999), Lookup::value);
}

// A snapshot from before the first write of the database once made compaction drop what was taken in first.
TEST(TableEngine, compaction_keeps_what_a_cursor_from_the_beginning_sees) {
  TableSubject subject(budget, Threads::helper);
  ASSERT_TRUE(subject.start());
  put_one(subject, ShardId(1), "first", "value");
  ASSERT_TRUE(subject.run(subject.engine().checkpoint()));
  const auto cursor = subject.shard(ShardId(1)).cursor(Space::records);
  for (int i = 0; i < 12; ++i) {
    put_one(subject, ShardId(1), "key", "value");
    ASSERT_TRUE(subject.run(subject.engine().checkpoint()));
  }
  ASSERT_TRUE(wait_until(subject, [&] { return subject.tables().database_figures().compactions > 0; }));
  EXPECT_TRUE(holds(subject, ShardId(1), "first", "value"));
  cursor->seek({});
  while (cursor->state() == Cursor::State::cold) ASSERT_TRUE(subject.run(cursor->load()));
  ASSERT_EQ(cursor->state(), Cursor::State::record);
  EXPECT_EQ(cursor->key(), "first");
}

}  // namespace
}  // namespace skerry::store
