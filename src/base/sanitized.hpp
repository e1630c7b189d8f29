// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace skerry {

// Whether sanitizers watch this build. They see what they look for in the first runs of a random test; for the rarer faults of
// the logic there are the builds without them, which run many more in the same time.
#ifdef SKERRY_SANITIZED
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

}   // namespace skerry
