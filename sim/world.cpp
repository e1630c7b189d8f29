// SPDX-License-Identifier: Apache-2.0
#include "sim/world.hpp"

#include <algorithm>

namespace skerry::sim {

Core& World::start_core() {
  cores_.push_back(std::make_unique<Core>(CoreId(next_id_++), clock, random.next()));
  return *cores_.back();
}

bool World::is_paused(const Core& core) const {
  const auto found = paused_.find(&core);
  return found != paused_.end() && clock.now() < found->second;
}

void World::remove_core(Core& core) {
  paused_.erase(&core);
  std::erase_if(cores_, [&](const auto& each) { return each.get() == &core; });
}

bool World::step() {
  if (cores_.empty()) return false;
  const std::size_t first = random.below(cores_.size());
  for (std::size_t i = 0; i < cores_.size(); ++i) {
    Core& core = *cores_[(first + i) % cores_.size()];
    if (is_paused(core)) continue;
    const std::size_t handlers = random.chance(0.5) ? 1 + random.below(4) : 512;
    if (!core.run_turn(handlers)) continue;
    clock.advance(Duration(random.below(20'000)));   // work takes time, though little
    return true;
  }
  return jump();
}

bool World::jump() {
  TimePoint next = no_deadline;
  for (const auto& core : cores_) {
    next = std::min(next, is_paused(*core) ? paused_.at(core.get()) : core->next_timer().value_or(no_deadline));
  }
  if (next == no_deadline) return false;
  if (next > clock.now()) clock.advance(next - clock.now());
  return true;
}

}  // namespace skerry::sim
