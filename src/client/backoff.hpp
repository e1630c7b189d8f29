// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>

#include "base/time.hpp"
#include "runtime/random.hpp"

namespace skerry::client {

// How long to wait before the next attempt: doubling, with a quarter of chance so that clients do not come back in step.
class Backoff {
 public:
  Backoff(Duration first, Duration longest) : first_(first), longest_(longest), next_(first) {}
  void reset() { next_ = first_; }
  Duration next(Random& random) {
    const Duration pause = next_;
    next_ = std::min(next_ * 2, longest_);
    return pause - Duration(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(pause.count() / 4 + 1))));
  }

 private:
  Duration first_, longest_, next_;
};

}  // namespace skerry::client
