// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <fmt/format.h>

#include "sim/store_sim.hpp"

namespace skerry::sim {

// One line of the trace: all arguments, one after the other.
template <class... Args>
void StoreSim::note(const Args&... args) {
  std::string line;
  (fmt::format_to(std::back_inserter(line), "{}", args), ...);
  trace_.note(world_.clock.now(), line);
}

}  // namespace skerry::sim
