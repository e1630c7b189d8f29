// SPDX-License-Identifier: Apache-2.0
// One put from request to applied state, over the engine in memory: what evaluation and effects cost by themselves.
#include <benchmark/benchmark.h>

#include "base/assert.hpp"
#include "store/memory_engine.hpp"
#include "store/state_machine.hpp"

namespace skerry::store {
namespace {

constexpr std::size_t value_bytes = 128;

class Shard {
 public:
  Shard() : machine_(ShardId(0), KeyOrder::hierarchical, **engine_.shard(ShardId(0))) {}

  void write(const Put& put) {
    const Offset offset = machine_.applied().next();
    const auto evaluation = machine_.evaluate({{&put, 1}, {}, {}}, offset, machine_.last_stamp().after(WallTime{}));
    SKERRY_ASSERT(machine_.apply(offset, std::get<Proposal>(evaluation).entry).has_value());
  }
  StateMachine& machine() { return machine_; }

 private:
  MemoryEngine engine_;
  StateMachine machine_;
};

Bytes state_key_of(std::uint64_t i) { return "/bench/key-" + std::to_string(i); }

void put(benchmark::State& state) {
  Shard shard;
  const Bytes value(value_bytes, 'v');
  const auto keys = static_cast<std::uint64_t>(state.range(0));
  std::uint64_t i = 0;
  for (auto _ : state) {
    const Bytes key = state_key_of(i++ * 7919 % keys);
    Put one{};
    one.key = key;
    one.value = value;
    shard.write(one);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(put)->Arg(1000)->Arg(100'000);

void put_with_two_indexes(benchmark::State& state) {
  Shard shard;
  const Bytes value(value_bytes, 'v');
  std::uint64_t i = 0;
  for (auto _ : state) {
    const Bytes key = state_key_of(i % 10'000), secondary = std::to_string(i++);
    const SecondaryIndex indexes[] = {{"one", secondary}, {"two", "same"}};
    Put one{};
    one.key = key;
    one.value = value;
    one.indexes = indexes;
    shard.write(one);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(put_with_two_indexes);

void put_with_sequence_key(benchmark::State& state) {
  Shard shard;
  const std::uint64_t deltas[] = {1};
  for (auto _ : state) {
    Put one{};
    one.key = "sequence";
    one.partition_key = "p";
    one.sequence_deltas = deltas;
    shard.write(one);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(put_with_sequence_key);

void get(benchmark::State& state) {
  Shard shard;
  const Bytes value(value_bytes, 'v');
  constexpr std::uint64_t keys = 100'000;
  for (std::uint64_t i = 0; i < keys; ++i) {
    const Bytes key = state_key_of(i);
    Put one{};
    one.key = key;
    one.value = value;
    shard.write(one);
  }
  std::uint64_t i = 0;
  for (auto _ : state) {
    const Bytes key = state_key_of(i++ * 7919 % keys);
    benchmark::DoNotOptimize(shard.machine().get({key, Comparison::equal, true, std::nullopt}));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(get);

}  // namespace
}  // namespace skerry::store
