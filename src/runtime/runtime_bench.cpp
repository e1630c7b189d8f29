// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "runtime/core.hpp"
#include "runtime/task_scope.hpp"
#include "runtime/timers.hpp"

namespace skerry {
namespace {

struct Quiet : Timer {
  void on_due() override {}
};

// A timeout that is set and cancelled, as nearly all are, beside many that are waiting.
void arm_and_cancel(benchmark::State& state) {
  Timers timers;
  std::vector<std::unique_ptr<Quiet>> waiting;
  Random random(1);
  const TimePoint now{1h};
  timers.run(now);
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    timers.arm(*waiting.emplace_back(std::make_unique<Quiet>()), now + Duration(random.below(30'000'000'000)));
  }
  Quiet timer;
  for (auto _ : state) {
    timers.arm(timer, now + 5s);
    timer.cancel();
  }
}
BENCHMARK(arm_and_cancel)->Arg(10)->Arg(10'000)->Arg(100'000);

Task<> nothing() { co_return; }

void spawn_and_end(benchmark::State& state) {
  const SystemClock clock;
  Core core(CoreId{0}, clock, 1);
  TaskScope tasks(core);
  for (auto _ : state) {
    tasks.spawn(nothing());
    core.run_turn();
  }
}
BENCHMARK(spawn_and_end);

}  // namespace
}  // namespace skerry
