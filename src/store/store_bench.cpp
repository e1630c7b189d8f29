// SPDX-License-Identifier: Apache-2.0
// Puts and gets of each engine, at a million keys of 64 bytes with values of 128.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <filesystem>

#include "runtime/blocking.hpp"
#include "store/memory_engine.hpp"
#include "store/rocksdb_engine.hpp"
#include "store/testing/run.hpp"

namespace skerry::store {
namespace {

constexpr std::uint64_t keys = 1'000'000;

Bytes key_of(std::uint64_t number) {
  Bytes key(56, 'k');   // the common part, as in a real namespace
  append_big_endian(key, number * 0x9E3779B1 % keys);
  return key;
}

// An engine in a folder of its own, removed at the end.
class Subject {
 public:
  explicit Subject(bool rocksdb) {
    folder_ = (std::filesystem::temp_directory_path() / fmt::format("skerry-store-bench-{}", ::getpid())).string();
    if (rocksdb) {
      engine_ = *testing::run(core_, RocksDbEngine::open(blocking_, folder_, {}));
    } else {
      engine_ = std::make_unique<MemoryEngine>();
    }
    shard = *engine_->shard(ShardId(1));
  }
  ~Subject() {
    engine_.reset();
    std::filesystem::remove_all(folder_);
  }
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;

  void put(std::uint64_t number, std::size_t in_one_entry) {
    std::vector<Bytes> names;
    std::vector<Write> writes;
    for (std::size_t i = 0; i < in_one_entry; ++i) names.push_back(key_of(number + i));
    for (const Bytes& name : names) writes.push_back({Write::Kind::put, Space::records, name, value_});
    shard->apply(writes, Offset(next_++));
  }
  void fill() {
    for (std::uint64_t number = 0; number < keys; number += 100) put(number, 100);
  }
  void flush_and_load() {
    static_cast<void>(testing::run(core_, engine_->checkpoint()));
    for (std::uint64_t number = 0; number < keys;) {
      std::vector<Bytes> wanted;
      for (int i = 0; i < 10'000; ++i) wanted.push_back(key_of(number++));
      static_cast<void>(testing::run(core_, shard->load(Space::records, std::move(wanted))));
    }
  }

  ShardEngine* shard = nullptr;

 private:
  SystemClock clock_;
  Core core_{CoreId(0), clock_, 1};
  HelperThreads blocking_{1};
  std::string folder_;
  std::unique_ptr<Engine> engine_;
  Bytes value_ = Bytes(128, 'v');
  std::int64_t next_ = 0;
};

void puts(benchmark::State& state, bool rocksdb) {
  Subject subject(rocksdb);
  const auto in_one_entry = static_cast<std::size_t>(state.range(0));
  std::uint64_t number = 0;
  Duration worst{};
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    subject.put(number % keys, in_one_entry);
    worst = std::max<Duration>(worst, std::chrono::steady_clock::now() - start);
    number += in_one_entry;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(number));
  state.counters["worst_ms"] = std::chrono::duration<double, std::milli>(worst).count();
}

void gets(benchmark::State& state, bool rocksdb, bool flushed) {
  Subject subject(rocksdb);
  subject.fill();
  if (flushed) subject.flush_and_load();
  Bytes value;
  std::uint64_t number = 0;
  const auto key_at = [](std::uint64_t at) { return key_of(at * 7919 % keys); };
  std::uint64_t cold_now = 0;
  for (auto _ : state) {
    cold_now += subject.shard->try_get(Space::records, key_at(number), value) == Lookup::cold;
    ++number;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(number));
  state.counters["cold"] = static_cast<double>(cold_now) / static_cast<double>(number);
}

void scans(benchmark::State& state, bool rocksdb) {
  Subject subject(rocksdb);
  subject.fill();
  if (rocksdb) subject.flush_and_load();
  std::uint64_t records = 0;
  for (auto _ : state) {
    const auto cursor = subject.shard->cursor(Space::records);
    cursor->seek(key_of(records));
    for (int i = 0; i < 100 && cursor->state() == Cursor::State::record; ++i, ++records) {
      benchmark::DoNotOptimize(cursor->value().data());
      cursor->next();
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(records));
}

BENCHMARK_CAPTURE(puts, memory, false)->Arg(1)->Iterations(1'000'000);
BENCHMARK_CAPTURE(puts, rocksdb, true)->Arg(1)->Iterations(1'000'000);
BENCHMARK_CAPTURE(puts, rocksdb, true)->Arg(16)->Iterations(62'500);
BENCHMARK_CAPTURE(puts, rocksdb, true)->Arg(128)->Iterations(7'813);
BENCHMARK_CAPTURE(gets, memory, false, false)->Iterations(1'000'000);
BENCHMARK_CAPTURE(gets, rocksdb_memtable, true, false)->Iterations(1'000'000);
BENCHMARK_CAPTURE(gets, rocksdb_flushed, true, true)->Iterations(1'000'000);
BENCHMARK_CAPTURE(scans, memory, false);
BENCHMARK_CAPTURE(scans, rocksdb, true);

}  // namespace
}  // namespace skerry::store
