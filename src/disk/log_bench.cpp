// SPDX-License-Identifier: Apache-2.0
// Records a second at several records a sync on the disk of the temporary folder (TMPDIR chooses another), what appending
// costs the core, and how fast a log is opened.
#include <benchmark/benchmark.h>
#include <cstdlib>

#include <filesystem>
#include <optional>

#include "disk/log.hpp"
#include "disk/machine_disk.hpp"
#include "runtime/core.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::disk {
namespace {

constexpr ShardId shard{1};
constexpr Term term{1};
constexpr std::size_t payload_bytes = 176;   // with the header 224 bytes

class Bench {
 public:
  explicit Bench(LogOptions options = {}, MachineDisk::SyncBy sync_by = MachineDisk::SyncBy::io_uring_if_allowed)
      : options_(options), disk_(core_, sync_by) {
    std::string name = (std::filesystem::temp_directory_path() / "skerry-log-bench-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    open();
  }
  ~Bench() {
    close();
    std::filesystem::remove_all(folder_);
  }

  void open() {
    auto opened = run(Log::open(core_, disk_, folder_, options_));
    if (!opened) std::abort();
    log_ = std::move(*opened);
    next_ = log_->shard(shard).last.next();
  }
  void close() {
    if (!run(log_->stop())) std::abort();
    log_.reset();
  }
  template <class T>
  T run(Task<T> task) {
    std::optional<T> result;
    tasks_.spawn(keep(std::move(task), result));
    while (!result) turn();
    return std::move(*result);
  }
  void turn() {
    if (!core_.run_turn()) core_.wait(clock_.now() + 10ms);
  }
  Sequence append() {
    const auto sequence = log_->append(shard, term, next_, payload_);
    if (!sequence) std::abort();
    // As a shard that is checkpointed now and then.
    if (trims_ && next_.value() % 100'000 == 99'999 && !log_->trim(shard, Offset(next_.value() - 50'000))) std::abort();
    next_ = next_.next();
    return *sequence;
  }
  void keep_all() { trims_ = false; }
  void wait(Sequence sequence) {
    while (log_->synced() < sequence) turn();
  }

 private:
  template <class T>
  static Task<> keep(Task<T> task, std::optional<T>& result) {
    result = co_await std::move(task);
  }

  LogOptions options_;
  SystemClock clock_;
  Core core_{CoreId{0}, clock_, 1};
  MachineDisk disk_;
  TaskScope tasks_{core_};
  std::string folder_;
  std::unique_ptr<Log> log_;
  Offset next_{0};
  bool trims_ = true;
  std::string payload_ = std::string(payload_bytes, 'p');
};

void records_per_sync(benchmark::State& state, MachineDisk::SyncBy sync_by) {
  Bench bench({}, sync_by);
  for (auto _ : state) {
    Sequence last{0};
    for (std::int64_t i = 0; i < state.range(0); ++i) last = bench.append();
    bench.wait(last);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
void records_by_io_uring(benchmark::State& state) { records_per_sync(state, MachineDisk::SyncBy::io_uring_if_allowed); }
void records_by_helper_thread(benchmark::State& state) { records_per_sync(state, MachineDisk::SyncBy::helper_thread); }
BENCHMARK(records_by_io_uring)->Arg(1)->Arg(16)->Arg(128)->Arg(1024)->UseRealTime();
BENCHMARK(records_by_helper_thread)->Arg(1)->Arg(16)->Arg(128)->UseRealTime();

// The core's own work for a record: checks, checksums, copying; a turn every 128 writes it to the page cache.
void append_without_sync(benchmark::State& state) {
  Bench bench({.durable = Durable::no});
  std::int64_t count = 0;
  for (auto _ : state) {
    const Sequence last = bench.append();
    if (++count % 128 == 0) bench.wait(last);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(append_without_sync);

// Of a log of so many MiB, in the page cache: of all segments but the last two only the footers are read. 1024 MiB take 0.3 s
// (92 ms of them on the core) on two busy cores of an AMD EPYC; reading every byte took 0.7 to 1.5 s (460 ms).
void open_log(benchmark::State& state) {
  Bench bench;
  bench.keep_all();
  const std::int64_t records = state.range(0) * (1 << 20) / 224;
  Sequence last{0};
  for (std::int64_t i = 0; i < records; ++i) {
    last = bench.append();
    if (i % 4096 == 0) bench.wait(last);
  }
  bench.wait(last);
  for (auto _ : state) {
    state.PauseTiming();
    bench.close();
    state.ResumeTiming();
    bench.open();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0) * (1 << 20));
}
BENCHMARK(open_log)->Arg(8)->Arg(1024)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace skerry::disk
