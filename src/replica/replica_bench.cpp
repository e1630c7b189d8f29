// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdlib>
#include <deque>
#include <filesystem>

#include "disk/machine_disk.hpp"
#include "replica/testing/shard_world.hpp"
#include "runtime/clock.hpp"

namespace skerry::replica {
namespace {

// A shard over the machine's disk, with or without syncs, and an engine in memory.
struct RealShard {
  explicit RealShard(disk::Durable durable) {
    disk::LogOptions options;
    options.durable = durable;
    log = *run(disk::Log::open(core, disk, folder + "/log", options));
    shard = *run(Shard::open(core, *log, **engine.shard(ShardId(0)), ShardId(0), {.notifications = false}));
  }
  ~RealShard() {
    run(stopped());
    shard.reset();
    log.reset();
    std::filesystem::remove_all(folder);
  }
  Task<bool> stopped() {
    co_await shard->stop();
    static_cast<void>(co_await log->stop());
    co_return true;
  }
  template <class T>
  T run(Task<T> task) {
    std::optional<T> result;
    TaskScope scope(core);
    scope.spawn(keep(std::move(task), result));
    while (!result) turn();
    return std::move(*result);
  }
  template <class T>
  static Task<> keep(Task<T> task, std::optional<T>& result) {
    result.emplace(co_await std::move(task));
  }
  void turn() {
    if (!core.run_turn()) core.wait(core.now() + 1ms);
  }

  SystemClock clock;
  Core core{CoreId{0}, clock, 1};
  std::string folder = [] {
    std::string name = (std::filesystem::temp_directory_path() / "skerry-replica-bench-XXXXXX").string();
    SKERRY_ASSERT(::mkdtemp(name.data()) != nullptr);
    return name;
  }();
  disk::MachineDisk disk{core};
  std::unique_ptr<disk::Log> log;
  store::MemoryEngine engine;
  std::unique_ptr<Shard> shard;
};

// Puts of 128 bytes to 100k keys, so many in flight: from proposal to answer.
void puts(benchmark::State& state, disk::Durable durable) {
  RealShard real(durable);
  const auto window = static_cast<std::size_t>(state.range(0));
  std::deque<Ticket> tickets;
  Random random(1);
  const Bytes value(128, 'v');
  for (auto _ : state) {
    while (tickets.size() >= window) {
      if (tickets.front().ready()) {
        SKERRY_ASSERT(tickets.front().take().has_value());
        tickets.pop_front();
      } else {
        real.turn();
      }
    }
    const Bytes key = fmt::format("/bench/key-{:08}", random.below(100'000));
    store::Put put;
    put.key = key;
    put.value = value;
    tickets.push_back(real.shard->propose({{&put, 1}, {}, {}}));
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK_CAPTURE(puts, synced, disk::Durable::yes)->Arg(1)->Arg(16)->Arg(128)->Arg(1024)->UseRealTime();
BENCHMARK_CAPTURE(puts, unsynced, disk::Durable::no)->Arg(1)->Arg(128)->Arg(1024)->UseRealTime();

}  // namespace
}  // namespace skerry::replica
