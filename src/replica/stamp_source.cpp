// SPDX-License-Identifier: Apache-2.0
#include "replica/stamp_source.hpp"

#include <fmt/format.h>

#include "base/limits.hpp"
#include "replica/shard_error.hpp"

namespace skerry::replica {

Result<Stamp> StampSource::next(Stamp last, WallTime wall, TimePoint now) {
  const auto expected = wall_ + std::chrono::floor<std::chrono::milliseconds>(now - now_);
  if (wall > expected + limits::clock_jump_max) {
    const auto ahead = std::chrono::duration_cast<std::chrono::seconds>(wall - expected);
    return fail(ShardError::clock_jumped,
                fmt::format("not applied: the wall clock has jumped {} s ahead (limit {} s); set it right, or restart the "
                            "process if the new time is correct",
                            ahead.count(), std::chrono::seconds(limits::clock_jump_max).count()));
  }
  if (wall > expected) {   // a clock set back keeps the older, higher reference: its way forward again is no jump
    wall_ = wall;
    now_ = now;
  }
  return last.after(wall);
}

}  // namespace skerry::replica
