// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <vector>

#include "runtime/core.hpp"

namespace skerry::sim {

// The whole world in one thread: a clock that moves only when told, and cores that run when chance picks them. The seed
// decides everything. Owns the cores; whoever starts one must end what it put on it before removing it.
class World {
 public:
  explicit World(std::uint64_t seed) : random(seed) {}
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Core& start_core();
  // As if the process had died: its coroutines go where they stand, none of them runs again.
  void crash_core(Core& core) { core.drop_frames(); }
  void remove_core(Core& core);
  // As a process that is stopped and continued: it does nothing until then, and does not know.
  void pause_core(Core& core, TimePoint until) { paused_[&core] = until; }

  // A turn of a core picked by chance, of as many handlers as chance allows. When none has anything to do, time jumps to the
  // next timer. False when nothing will ever happen again.
  bool step();

  ManualClock clock;   // before the cores, which refer to it
  Random random;

 private:
  bool jump();
  bool is_paused(const Core& core) const;
  std::vector<std::unique_ptr<Core>> cores_;
  std::map<const Core*, TimePoint> paused_;
  std::uint32_t next_id_ = 0;
};

}  // namespace skerry::sim
