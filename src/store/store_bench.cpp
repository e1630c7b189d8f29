// SPDX-License-Identifier: Apache-2.0
// Puts and gets of each engine, at a million keys of 64 bytes with values of 128; and, when asked for by name
// (--benchmark_filter=ten_million), the table's life with far more than fits into memory.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <filesystem>

#include "base/assert.hpp"
#include "runtime/blocking.hpp"
#include "store/memory_engine.hpp"
#include "store/rocksdb_engine.hpp"
#include "store/state_machine.hpp"
#include "store/table_engine.hpp"
#include "store/testing/run.hpp"

namespace skerry::store {
namespace {

constexpr std::uint64_t keys = 1'000'000;

// Of the thread, so that what else runs on the machine doesn't count.
Duration spent() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

Bytes key_of(std::uint64_t number) {
  Bytes key(56, 'k');   // the common part, as in a real namespace
  append_big_endian(key, number * 0x9E3779B1 % keys);
  return key;
}

enum class Kind { memory, rocksdb, tables };

// An engine in a folder of its own, removed at the end.
class Subject {
 public:
  explicit Subject(Kind kind, std::uint64_t cache_bytes = 256 << 20) {
    folder_ = (std::filesystem::temp_directory_path() / fmt::format("skerry-store-bench-{}", ::getpid())).string();
    RocksDbOptions database;
    database.cache_bytes = cache_bytes;
    switch (kind) {
      case Kind::memory: engine_ = std::make_unique<MemoryEngine>(); break;
      case Kind::rocksdb: engine_ = *testing::run(core, RocksDbEngine::open(blocking_, folder_, database)); break;
      case Kind::tables:
        engine_ = *testing::run(core, TableEngine::open(blocking_, folder_, {.cache_bytes = cache_bytes}));
        break;
    }
    shard = *engine_->shard(ShardId(1));
  }
  ~Subject() {
    static_cast<void>(testing::run(core, engine_->stop()));
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
    core.run_turn();
  }
  // As the server does: first what the key holds, then the put; waiting when there is no room.
  void evaluate_and_put(std::span<const Bytes> names) {
    std::vector<Bytes> cold;
    for (const Bytes& name : names)
      if (shard->try_get(Space::records, name, found_) == Lookup::cold) cold.push_back(name);
    colds += cold.size();
    if (!cold.empty()) static_cast<void>(testing::run(core, shard->load(Space::records, std::move(cold))));
    for (const Bytes& name : names) {
      benchmark::DoNotOptimize(shard->try_get(Space::records, name, found_));
      const Write write{Write::Kind::put, Space::records, name, value_};
      const Duration start = spent();
      shard->apply({&write, 1}, Offset(next_++));
      worst = std::max(worst, spent() - start);
    }
    core.run_turn();
    while (!engine_->has_room()) {
      ++waits;
      if (!core.run_turn()) core.wait(core.clock().now() + 1ms);
    }
  }
  void read(std::span<const Bytes> names) {
    core.run_turn();
    std::vector<Bytes> cold;
    for (const Bytes& name : names)
      if (shard->try_get(Space::records, name, found_) == Lookup::cold) cold.push_back(name);
    colds += cold.size();
    if (cold.empty()) return;
    std::vector<Bytes> again = cold;
    static_cast<void>(testing::run(core, shard->load(Space::records, std::move(cold))));
    for (const Bytes& name : again) benchmark::DoNotOptimize(shard->try_get(Space::records, name, found_));
  }
  void load(Cursor& cursor) { static_cast<void>(testing::run(core, cursor.load())); }
  void use_values_of(std::size_t bytes) { value_.assign(bytes, 'v'); }
  TableEngine& tables() { return dynamic_cast<TableEngine&>(*engine_); }
  Duration worst{};
  std::uint64_t colds = 0, waits = 0;
  void fill(std::uint64_t count = keys) {
    for (std::uint64_t number = 0; number < count; number += 100) put(number, 100);
  }
  void flush_and_load() {
    static_cast<void>(testing::run(core, engine_->checkpoint()));
    for (std::uint64_t number = 0; number < keys;) {
      std::vector<Bytes> wanted;
      for (int i = 0; i < 10'000; ++i) wanted.push_back(key_of(number++));
      static_cast<void>(testing::run(core, shard->load(Space::records, std::move(wanted))));
    }
  }

  SystemClock clock;
  Core core{CoreId(0), clock, 1};
  ShardEngine* shard = nullptr;

 private:
  HelperThreads blocking_{2};
  std::string folder_;
  std::unique_ptr<Engine> engine_;
  Bytes value_ = Bytes(128, 'v'), found_;
  std::int64_t next_ = 0;
};

void puts(benchmark::State& state, Kind kind) {
  Subject subject(kind);
  const auto in_one_entry = static_cast<std::size_t>(state.range(0));
  std::uint64_t number = 0;
  Duration worst{};
  for (auto _ : state) {
    const Duration start = spent();
    subject.put(number % keys, in_one_entry);
    worst = std::max(worst, spent() - start);
    number += in_one_entry;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(number));
  state.counters["worst_ms"] = std::chrono::duration<double, std::milli>(worst).count();
}

void gets(benchmark::State& state, Kind kind, bool flushed, std::uint64_t of = keys) {
  Subject subject(kind);
  subject.fill(of);
  if (flushed) subject.flush_and_load();
  Bytes value;
  std::uint64_t number = 0;
  const auto key_at = [of](std::uint64_t at) { return key_of(at * 7919 % of); };
  std::uint64_t cold_now = 0;
  for (auto _ : state) {
    cold_now += subject.shard->try_get(Space::records, key_at(number), value) == Lookup::cold;
    ++number;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(number));
  state.counters["cold"] = static_cast<double>(cold_now) / static_cast<double>(number);
}

void scans(benchmark::State& state, Kind kind) {
  Subject subject(kind);
  subject.fill();
  if (kind != Kind::memory) subject.flush_and_load();
  std::uint64_t records = 0;
  for (auto _ : state) {
    const auto cursor = subject.shard->cursor(Space::records);
    cursor->seek(key_of(records));
    for (int i = 0; i < 100 && cursor->state() != Cursor::State::end; ++i, ++records) {
      if (cursor->state() == Cursor::State::cold) subject.load(*cursor);
      if (cursor->state() != Cursor::State::record) break;
      benchmark::DoNotOptimize(cursor->value().data());
      cursor->next();
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(records));
}

// Batches of puts from request to applied state, keys chosen at random of a hundred thousand: all that the core does for them but
// wire and log.
void batches(benchmark::State& state) {
  Subject subject(Kind::tables);
  StateMachine machine(ShardId(1), KeyOrder::hierarchical, *subject.shard);
  SKERRY_ASSERT(testing::run(subject.core, machine.open()).has_value());
  const Bytes value(128, 'v');
  std::vector<Bytes> names(100'000);
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = fmt::format("/bench/key-{:012}", i);
  std::uint64_t seed = 1;
  std::vector<Put> puts(static_cast<std::size_t>(state.range(0)));
  const auto write = [&] {
    const Offset offset = machine.applied().next();
    const auto evaluation = machine.evaluate({puts, {}, {}}, offset, machine.last_stamp().after(WallTime{}));
    SKERRY_ASSERT(machine.apply(offset, std::get<Proposal>(evaluation).entry).has_value());
  };
  const auto refill = [&](auto next) {
    for (Put& put : puts) put.key = names[next()], put.value = value;
  };
  for (std::size_t i = 0; i < names.size();) {
    refill([&] { return i++ % names.size(); });
    write();
  }
  for (auto _ : state) {
    refill([&] {
      seed = seed * 6364136223846793005 + 1442695040888963407;
      return (seed >> 33) % names.size();
    });
    write();
    subject.core.run_turn();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

// Ten million keys of a hundred bytes under a budget of 256 MB: new in random order, then overwritten, then read, all by 64.
void ten_million(benchmark::State& state) {
  const char* given = std::getenv("SKERRY_BENCH_KEYS");
  const std::uint64_t count = given != nullptr ? std::strtoull(given, nullptr, 10) : 10'000'000;
  const std::uint64_t overwrites = count / 5, reads = count / 10;
  Subject subject(Kind::tables);
  subject.use_values_of(84);
  const auto name = [](std::uint64_t number) {
    Bytes key;
    append_big_endian(key, number * 0x9E3779B97F4A7C15);
    append_big_endian(key, number);
    return key;
  };
  std::uint64_t seed = 1;
  std::vector<Bytes> names(64);
  const auto timed = [&](const char* what, std::uint64_t times, auto next, auto act) {
    const auto start = std::chrono::steady_clock::now();
    subject.worst = {};
    subject.colds = subject.waits = 0;
    Duration worst_turn{};
    for (std::uint64_t done = 0; done < times; done += names.size()) {
      for (Bytes& each : names) each = next();
      const auto begun = std::chrono::steady_clock::now();
      act();
      worst_turn = std::max<Duration>(worst_turn, std::chrono::steady_clock::now() - begun);
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const TableFigures figures = subject.tables().figures();
    fmt::print("{:12} {:9.0f}/s, worst apply {:.2f} ms, worst batch {:.1f} ms, cold {}, waits {}, ingests {}, compactions {}\n",
               what, static_cast<double>(times) / seconds, std::chrono::duration<double, std::milli>(subject.worst).count(),
               std::chrono::duration<double, std::milli>(worst_turn).count(), subject.colds, subject.waits, figures.ingests,
               subject.tables().database_figures().compactions);
    std::fflush(stdout);
    state.counters[what] = static_cast<double>(times) / seconds;
  };
  for (auto _ : state) {
    std::uint64_t number = 0;
    timed("new", count, [&] { return name(number++ * 7'368'787 % count); }, [&] { subject.evaluate_and_put(names); });
    const auto one_of_them = [&] {
      seed = seed * 6364136223846793005 + 1442695040888963407;
      return name((seed >> 20) % count);
    };
    timed("overwrites", overwrites, one_of_them, [&] { subject.evaluate_and_put(names); });
    timed("cold gets", reads, one_of_them, [&] { subject.read(names); });
  }
}

void scan_all(benchmark::State& state, Kind kind, bool flushed) {
  Subject subject(kind);
  for (std::uint64_t number = 0; number < 100'000; number += 100) subject.put(number, 100);
  if (flushed) subject.flush_and_load();
  std::uint64_t records = 0;
  for (auto _ : state) {
    const auto cursor = subject.shard->cursor(Space::records);
    for (cursor->seek({}); cursor->state() != Cursor::State::end; cursor->next()) {
      if (cursor->state() == Cursor::State::cold) subject.load(*cursor);
      benchmark::DoNotOptimize(cursor->value().data());
      ++records;
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(records));
}

BENCHMARK_CAPTURE(puts, memory, Kind::memory)->Arg(1)->Iterations(1'000'000);
BENCHMARK_CAPTURE(puts, rocksdb, Kind::rocksdb)->Arg(1)->Iterations(1'000'000);
BENCHMARK_CAPTURE(puts, rocksdb, Kind::rocksdb)->Arg(16)->Iterations(62'500);
BENCHMARK_CAPTURE(puts, rocksdb, Kind::rocksdb)->Arg(128)->Iterations(7'813);
BENCHMARK_CAPTURE(puts, tables, Kind::tables)->Arg(1)->Iterations(1'000'000);
BENCHMARK_CAPTURE(puts, tables, Kind::tables)->Arg(16)->Iterations(62'500);
BENCHMARK_CAPTURE(puts, tables_overwriting, Kind::tables)->Arg(1)->Iterations(5'000'000);
BENCHMARK(batches)->Arg(1)->Arg(16)->Arg(128);
BENCHMARK_CAPTURE(gets, memory, Kind::memory, false)->Iterations(1'000'000);
BENCHMARK_CAPTURE(gets, rocksdb_memtable, Kind::rocksdb, false)->Iterations(1'000'000);
BENCHMARK_CAPTURE(gets, rocksdb_flushed, Kind::rocksdb, true)->Iterations(1'000'000);
BENCHMARK_CAPTURE(gets, tables, Kind::tables, false)->Iterations(1'000'000);
BENCHMARK_CAPTURE(gets, tables_hot, Kind::tables, false, 100'000)->Iterations(1'000'000);
BENCHMARK_CAPTURE(gets, tables_written, Kind::tables, true)->Iterations(1'000'000);
BENCHMARK_CAPTURE(scans, memory, Kind::memory);
BENCHMARK_CAPTURE(scans, rocksdb, Kind::rocksdb);
BENCHMARK_CAPTURE(scans, tables, Kind::tables);
BENCHMARK_CAPTURE(scan_all, tables, Kind::tables, false);
BENCHMARK_CAPTURE(scan_all, tables_written, Kind::tables, true);
BENCHMARK_CAPTURE(scan_all, rocksdb, Kind::rocksdb, true);

}   // namespace

void register_ten_million() { benchmark::RegisterBenchmark("ten_million", ten_million)->Iterations(1)->Unit(benchmark::kSecond); }

}   // namespace skerry::store

int main(int count, char** arguments) {
  for (int i = 1; i < count; ++i) {
    if (std::string_view(arguments[i]).find("ten_million") == std::string_view::npos) continue;
    skerry::store::register_ten_million();
  }
  benchmark::Initialize(&count, arguments);
  benchmark::RunSpecifiedBenchmarks();
}
