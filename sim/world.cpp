// SPDX-License-Identifier: Apache-2.0
#include "sim/world.hpp"

#include <algorithm>

namespace skerry::sim {

Cores& World::start_process() {
  auto cores = std::make_unique<Cores>(1, clock, random.next(), Outside::closed);
  Core* const core = cores->all().front().get();
  return *processes_.emplace_back(std::move(cores), core).cores;
}

void World::remove_core(Core& core) {
  std::erase_if(processes_, [&](const Process& each) { return each.core == &core; });
}

void World::pause_core(Core& core, TimePoint until) {
  std::ranges::find(processes_, &core, &Process::core)->paused_until = until;
}

bool World::step() {
  ran_ = nullptr;
  if (processes_.empty()) return false;
  const std::size_t first = random.below(processes_.size());
  const std::size_t handlers = random.chance(0.5) ? 1 + random.below(4) : 512;
  for (std::size_t i = 0; i < processes_.size(); ++i) {
    const std::size_t at = first + i < processes_.size() ? first + i : first + i - processes_.size();
    const Process& process = processes_[at];
    if (clock.now() < process.paused_until) continue;
    if (!process.core->run_turn(handlers)) continue;
    ran_ = process.core;
    clock.advance(Duration(random.below(20'000)));   // work takes time, though little
    return true;
  }
  return jump();
}

bool World::jump() {
  TimePoint next = no_deadline;
  for (const Process& process : processes_) {
    const bool paused = clock.now() < process.paused_until;
    next = std::min(next, paused ? process.paused_until : process.core->next_timer().value_or(no_deadline));
  }
  if (next == no_deadline) return false;
  if (next > clock.now()) clock.advance(next - clock.now());
  return true;
}

}  // namespace skerry::sim
