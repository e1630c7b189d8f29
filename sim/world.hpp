// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <vector>

#include "runtime/cores.hpp"

namespace skerry::sim {

// The whole world in one thread: a clock that moves only when told, and processes of one core each that run when chance picks
// them. The seed decides everything. Owns the cores; whoever starts one must end what it put on it before removing it.
class World {
 public:
  explicit World(std::uint64_t seed) : random(seed) {}
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Cores& start_process();
  Core& start_core() { return *start_process().all().front(); }
  // As if the process had died: its coroutines go where they stand, none of them runs again.
  void crash_core(Core& core) { core.drop_frames(); }
  void remove_core(Core& core);
  // As a process that is stopped and continued: it does nothing until then, and does not know.
  void pause_core(Core& core, TimePoint until);

  // A turn of a core picked by chance, of as many handlers as chance allows. When none has anything to do, time jumps to the
  // next timer. False when nothing will ever happen again.
  bool step();
  const Core* ran() const { return ran_; }   // by the last step; null: none did

  ManualClock clock;   // before the cores, which refer to it
  Random random;

 private:
  struct Process {
    std::unique_ptr<Cores> cores;
    Core* core;
    TimePoint paused_until = TimePoint::min();
  };
  bool jump();
  std::vector<Process> processes_;
  const Core* ran_ = nullptr;
};

}   // namespace skerry::sim
