// SPDX-License-Identifier: Apache-2.0
#include "store/engine.hpp"

#include <gtest/gtest.h>

#include <sched.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "store/memory_engine.hpp"
#include "store/testing/engine_subject.hpp"

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

TEST(MemoryEngine, refuses_a_damaged_file_with_path_and_remedy) {
  testing::MemorySubject subject;
  ASSERT_TRUE(subject.start());
  const Write writes[] = {put("key", "value")};
  subject.shard(ShardId(7)).apply(writes, Offset(0));
  ASSERT_TRUE(subject.stop());
  const std::string path = "/node/engine/shard-7.state";
  const Bytes whole = subject.disk.content(path);
  ASSERT_FALSE(whole.empty());
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    subject.disk.put(path, whole);
    subject.disk.flip_bit(path, bit);
    const Result<> started = subject.start();
    ASSERT_FALSE(started) << "bit " << bit;
    EXPECT_EQ(started.error(), make_error_code(Errc::corrupt));
    EXPECT_NE(started.error().message().find(path), std::string::npos);
    EXPECT_NE(started.error().message().find("from a backup"), std::string::npos);
  }
  for (std::size_t size = 0; size < whole.size(); ++size) {
    subject.disk.put(path, whole.substr(0, size));
    ASSERT_FALSE(subject.start()) << "cut to " << size;
  }
}

TEST(MemoryEngine, is_unhealthy_once_a_checkpoint_failed) {
  testing::MemorySubject subject;
  ASSERT_TRUE(subject.start());
  const Write writes[] = {put("key", "value")};
  subject.shard(ShardId(1)).apply(writes, Offset(0));
  subject.disk.faults.fail_sync = 1;
  EXPECT_FALSE(subject.run(subject.engine().checkpoint()));
  EXPECT_FALSE(subject.engine().health());
  EXPECT_EQ(subject.shard(ShardId(1)).durable(), no_offset);
  EXPECT_FALSE(subject.run(subject.engine().checkpoint()));
}

testing::RocksDbSubject rocksdb() { return {1 << 20, testing::RocksDbSubject::Threads::helper}; }

TEST(RocksDbEngine, is_unhealthy_once_the_disk_failed_and_goes_on_reading) {
  auto subject = rocksdb();
  ASSERT_TRUE(subject.start());
  const Write writes[] = {put("key", "value")};
  subject.shard(ShardId(1)).apply(writes, Offset(0));
  subject.die_within(0);
  EXPECT_FALSE(subject.run(subject.engine().checkpoint()));
  ASSERT_FALSE(subject.engine().health());
  EXPECT_EQ(subject.engine().health().error(), make_error_code(Errc::io_failed));
  subject.shard(ShardId(1)).apply(writes, Offset(1));   // must not end the process
  Bytes value;
  EXPECT_EQ(subject.shard(ShardId(1)).try_get(Space::records, "key", value), Lookup::value);
  EXPECT_EQ(subject.shard(ShardId(1)).durable(), no_offset);
}

TEST(RocksDbEngine, refuses_a_damaged_database_with_remedy) {
  auto subject = rocksdb();
  Random random(1);
  ASSERT_TRUE(subject.start());
  const Write writes[] = {put("key", "value")};
  subject.shard(ShardId(1)).apply(writes, Offset(0));
  ASSERT_TRUE(subject.stop());
  ASSERT_TRUE(subject.files->damage("CURRENT", random));
  const Result<> started = subject.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error(), make_error_code(Errc::corrupt));
  EXPECT_NE(started.error().message().find("/engine"), std::string::npos);
  EXPECT_NE(started.error().message().find("from a backup"), std::string::npos);
}

TEST(RocksDbEngine, refuses_a_folder_of_another_format) {
  auto subject = rocksdb();
  Random random(1);
  ASSERT_TRUE(subject.start());
  ASSERT_TRUE(subject.stop());
  ASSERT_TRUE(subject.files->damage("SKERRY_ENGINE", random));
  const Result<> started = subject.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error(), make_error_code(Errc::unsupported));
}

TEST(RocksDbEngine, shows_figures) {
  auto subject = rocksdb();
  ASSERT_TRUE(subject.start());
  const Bytes value(1000, 'v');
  for (std::int64_t i = 0; i < 100; ++i) {
    const Bytes key = std::to_string(i);
    const Write writes[] = {put(key, value)};
    subject.shard(ShardId(1)).apply(writes, Offset(i));
  }
  EXPECT_GE(subject.shard(ShardId(1)).approximate_bytes(), 100'000U);
  ASSERT_TRUE(subject.run(subject.engine().checkpoint()));
  const RocksDbFigures figures = dynamic_cast<RocksDbEngine&>(subject.engine()).figures();
  EXPECT_GE(figures.flushes, 1U);
  EXPECT_GT(figures.table_bytes, 0U);
  EXPECT_EQ(figures.cache_bytes_max, 1U << 20);
  EXPECT_FALSE(figures.stalled);
  EXPECT_GT(subject.shard(ShardId(1)).approximate_bytes(), 0U);
  ASSERT_TRUE(subject.stop());
}

// How many processors each thread of RocksDB in this process may use.
std::vector<int> background_thread_cpus() {
  std::vector<int> counts;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(entry.path() / "comm"), name);
    if (!name.starts_with("rocksdb:")) continue;
    cpu_set_t set;
    if (sched_getaffinity(std::stoi(entry.path().filename()), sizeof set, &set) == 0) counts.push_back(CPU_COUNT(&set));
  }
  return counts;
}

TEST(RocksDbEngine, background_threads_are_not_pinned_with_the_core_that_opened_it) {
  cpu_set_t all;
  ASSERT_EQ(sched_getaffinity(0, sizeof all, &all), 0);
  std::thread([&] {
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &all)) {
        CPU_SET(cpu, &one);
        break;
      }
    }
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    auto subject = rocksdb();
    ASSERT_TRUE(subject.start());
    const auto counts = background_thread_cpus();
    EXPECT_GE(counts.size(), 2U);
    for (const int count : counts) EXPECT_EQ(count, CPU_COUNT(&all));
    ASSERT_TRUE(subject.stop());
  }).join();
}

}  // namespace
}  // namespace skerry::store
